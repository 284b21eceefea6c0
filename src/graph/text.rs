//! Text form of the graph.
use super::Graph;
/// TODO
pub fn print(_: &Graph) -> String {
    String::new()
}
