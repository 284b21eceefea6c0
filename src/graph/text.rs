//! Text form of the graph.
