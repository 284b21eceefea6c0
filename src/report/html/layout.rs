//! A layered drawing of a network: ranks from top to bottom, crossings reduced by barycentres (Sugiyama's
//! method), columns by least squares.

/// Sweeps over all ranks, for the order and for the columns.
const SWEEPS: usize = 12;
/// Distance between the middles of two neighbours, in columns, by how many of them are layers.
const APART: [f64; 3] = [0.12, 0.56, 1.0];

/// Positions of nodes in columns (a node is slightly less than one wide) and ranks.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Layout {
    /// Columns.
    pub(super) width: f64,
    /// Ranks.
    pub(super) height: usize,
    /// Middle of each node: column and rank.
    pub(super) nodes: Vec<[f64; 2]>,
    /// The corners of each edge, from source to target.
    pub(super) edges: Vec<Vec<[f64; 2]>>,
}

/// A node, or a point where an edge passes a rank.
struct Vertex {
    rank: usize,
    node: bool,
    above: Vec<usize>,
    below: Vec<usize>,
    x: f64,
}

/// Draws a graph whose edges all go from a lower number to a higher one; others are left out.
pub(super) fn layered(nodes: usize, edges: &[(usize, usize)]) -> Layout {
    let edges: Vec<(usize, usize)> = edges.iter().copied().filter(|(a, b)| a < b && *b < nodes).collect();
    let mut ranks = vec![0; nodes];
    let mut by_target = edges.clone();
    by_target.sort_by_key(|(_, b)| *b);
    for (a, b) in by_target {
        ranks[b] = ranks[b].max(ranks[a] + 1);
    }
    let vertex = |rank, node| Vertex { rank, node, above: Vec::new(), below: Vec::new(), x: 0.0 };
    let mut vertices: Vec<Vertex> = ranks.iter().map(|r| vertex(*r, true)).collect();
    // All edges of one source share the points where they pass a rank.
    let mut passes: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    for (a, b) in &edges {
        for rank in ranks[*a] + passes[*a].len() + 1..ranks[*b] {
            vertices.push(vertex(rank, false));
            let last = passes[*a].last().copied().unwrap_or(*a);
            let new = vertices.len() - 1;
            join(&mut vertices, last, new);
            passes[*a].push(new);
        }
        let steps = ranks[*b] - ranks[*a] - 1;
        let last = steps.checked_sub(1).map_or(*a, |s| passes[*a][s]);
        join(&mut vertices, last, *b);
    }
    let height = ranks.iter().max().map_or(0, |r| r + 1);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); height];
    for (v, vertex) in vertices.iter().enumerate() {
        rows[vertex.rank].push(v);
    }
    order(&mut vertices, &mut rows);
    place(&mut vertices, &rows);
    let least = vertices.iter().map(|v| v.x).fold(f64::INFINITY, f64::min);
    let most = vertices.iter().map(|v| v.x).fold(f64::NEG_INFINITY, f64::max);
    let point = |v: usize| {
        let x = ((vertices[v].x - least + 0.5) * 1000.0).round() / 1000.0;
        [x, vertices[v].rank as f64]
    };
    let edge = |(a, b): &(usize, usize)| {
        let between = passes[*a].iter().take(ranks[*b] - ranks[*a] - 1);
        let corners = std::iter::once(a).chain(between).chain(std::iter::once(b));
        straightened(corners.map(|v| point(*v)).collect())
    };
    Layout {
        width: if nodes == 0 { 0.0 } else { ((most - least + 1.0) * 1000.0).round() / 1000.0 },
        height,
        nodes: (0..nodes).map(point).collect(),
        edges: edges.iter().map(edge).collect(),
    }
}

fn join(vertices: &mut [Vertex], above: usize, below: usize) {
    vertices[above].below.push(below);
    vertices[below].above.push(above);
}

/// Removes the points inside a vertical line.
fn straightened(points: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    let mut kept: Vec<[f64; 2]> = Vec::new();
    for (i, p) in points.iter().enumerate() {
        let inside = i > 0 && i + 1 < points.len() && points[i - 1][0] == p[0] && points[i + 1][0] == p[0];
        if !inside {
            kept.push(*p);
        }
    }
    kept
}

/// The ranks in the order of a sweep.
fn swept(sweep: usize, height: usize) -> Vec<usize> {
    if sweep.is_multiple_of(2) { (0..height).collect() } else { (0..height).rev().collect() }
}

/// Mean column of the neighbours in the rank that the sweep comes from: the rank above when it goes down.
fn mean(vertices: &[Vertex], v: usize, sweep: usize) -> Option<f64> {
    let vertex = &vertices[v];
    let near = if sweep.is_multiple_of(2) { &vertex.above } else { &vertex.below };
    let sum: f64 = near.iter().map(|n| vertices[*n].x).sum();
    (!near.is_empty()).then(|| sum / near.len() as f64)
}

/// Sorts every rank by the mean position of the neighbours, down and up.
fn order(vertices: &mut [Vertex], rows: &mut [Vec<usize>]) {
    for sweep in 0..SWEEPS {
        for rank in swept(sweep, rows.len()) {
            let row = &mut rows[rank];
            // A vertex without neighbours keeps its position.
            let key = |(at, v): (usize, &usize)| (mean(vertices, *v, sweep).unwrap_or(at as f64), *v);
            let mut keyed: Vec<(f64, usize)> = row.iter().enumerate().map(key).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            for (at, (_, v)) in keyed.iter().enumerate() {
                row[at] = *v;
                vertices[*v].x = at as f64;
            }
        }
    }
}

/// Moves every vertex towards the mean of its neighbours, as far as the order of its rank permits.
fn place(vertices: &mut [Vertex], rows: &[Vec<usize>]) {
    for sweep in 0..SWEEPS {
        for rank in swept(sweep, rows.len()) {
            let row = &rows[rank];
            let wish = |v: &usize| (mean(vertices, *v, sweep).unwrap_or(vertices[*v].x), vertices[*v].node);
            let wishes: Vec<(f64, bool)> = row.iter().map(wish).collect();
            for (v, x) in row.iter().zip(apart(&wishes)) {
                vertices[*v].x = x;
            }
        }
    }
}

/// Positions near the wished ones, in order and far enough apart, with the least sum of squared distances
/// (pool adjacent violators algorithm).
fn apart(wishes: &[(f64, bool)]) -> Vec<f64> {
    let mut offsets = Vec::with_capacity(wishes.len());
    let mut offset = 0.0;
    for (i, (_, node)) in wishes.iter().enumerate() {
        if i > 0 {
            offset += APART[usize::from(*node) + usize::from(wishes[i - 1].1)];
        }
        offsets.push(offset);
    }
    // Pools of neighbours with one common shift: sum of the wished shifts, and their number.
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for ((wish, _), offset) in wishes.iter().zip(&offsets) {
        let mut pool = (wish - offset, 1);
        while let Some((sum, count)) = pools.last().copied() {
            if sum / count as f64 <= pool.0 / pool.1 as f64 {
                break;
            }
            pool = (pool.0 + sum, pool.1 + count);
            pools.pop();
        }
        pools.push(pool);
    }
    let shifts = pools.iter().flat_map(|(sum, count)| std::iter::repeat_n(sum / *count as f64, *count));
    shifts.zip(&offsets).map(|(shift, offset)| shift + offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_a_straight_line() {
        let l = layered(3, &[(0, 1), (1, 2)]);
        assert_eq!(l.nodes, [[0.5, 0.0], [0.5, 1.0], [0.5, 2.0]]);
        assert_eq!((l.width, l.height, l.edges.len()), (1.0, 3, 2));
        assert_eq!(layered(0, &[]), Layout::default());
    }

    #[test]
    fn nothing_lies_on_a_layer() {
        // A chain whose first layer is read by the fourth and the fifth too, and a branch beside it.
        let edges = [(0, 1), (1, 2), (2, 3), (0, 3), (0, 4), (3, 4), (1, 5), (5, 4), (4, 2)];
        let l = layered(6, &edges);
        // The reverse edge is left out, and so is the one to a lower number.
        assert_eq!(l.edges.len(), 7);
        for (i, a) in l.nodes.iter().enumerate() {
            for b in &l.nodes[..i] {
                assert!(a[1] != b[1] || (a[0] - b[0]).abs() > 0.99, "{:?}", l.nodes);
            }
            for corner in l.edges.iter().flatten().filter(|c| *c != a && c[1] == a[1]) {
                assert!((corner[0] - a[0]).abs() > 0.55, "{:?}", l.edges);
            }
        }
    }

    #[test]
    fn places_are_the_nearest_ones_in_order() {
        assert_eq!(apart(&[(0.0, true), (0.0, true), (5.0, true)]), [-0.5, 0.5, 5.0]);
    }
}
