//! Suggestions for unknown names.

/// Most names that are suggested.
const PROPOSED: usize = 3;
/// Shorter names are not searched inside longer ones: they occur in too many.
const LEAST_PART: usize = 3;

/// The names most similar to `wanted`, best first; none if nothing is similar.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let lower = wanted.to_lowercase();
    let mut ranked: Vec<((usize, usize), &str)> =
        known.into_iter().filter_map(|name| Some((rank(&lower, &name.to_lowercase())?, name))).collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked.into_iter().take(PROPOSED).map(|(_, name)| name).collect()
}

/// The distance of two names, lower is closer: first misspellings, then names that contain each other.
fn rank(wanted: &str, name: &str) -> Option<(usize, usize)> {
    let longest = wanted.chars().count().max(name.chars().count());
    let distance = strsim::damerau_levenshtein(wanted, name);
    if distance <= (longest / 4).clamp(1, 4) && distance < longest {
        return Some((0, distance));
    }
    let part = |short: &str, long: &str| short.len() >= LEAST_PART && long.contains(short);
    (part(wanted, name) || part(name, wanted)).then(|| (1, wanted.len().abs_diff(name.len())))
}

/// `did you mean 'a', 'b' or 'c'?`; `None` if no name is similar.
pub fn question<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let quoted: Vec<String> = nearest(wanted, known).into_iter().map(|name| format!("'{name}'")).collect();
    let (last, first) = quoted.split_last()?;
    Some(if first.is_empty() {
        format!("did you mean {last}?")
    } else {
        format!("did you mean {} or {last}?", first.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_names_come_before_parts_of_names() {
        let known = ["conv0_quant", "conv1_quant", "relu_2_o_quantized", "output", "/block/conv1/Conv"];
        assert_eq!(nearest("conv1_qaunt", known), ["conv1_quant", "conv0_quant"]);
        assert_eq!(nearest("relu_2_o", known), ["relu_2_o_quantized"]);
        assert_eq!(nearest("Output", known), ["output"]);
        assert_eq!(nearest("conv1", known), ["conv1_quant", "/block/conv1/Conv"]);
        assert!(nearest("weights", known).is_empty() && nearest("x", ["y"]).is_empty());
        assert_eq!(question("conv2_quant", known).unwrap(), "did you mean 'conv0_quant' or 'conv1_quant'?");
        assert_eq!(question("weights", known), None);
    }
}
