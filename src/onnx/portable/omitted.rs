//! Optional outputs that nobody reads.

use std::collections::BTreeSet;

use super::attributes::attribute;
use crate::onnx::proto::attribute_proto::AttributeType;
use crate::onnx::proto::{AttributeProto, NodeProto};
use crate::onnx::schema::optional_outputs;

/// Whether a BatchNormalization takes mean and variance from its input. Before version 14 of the operator set
/// it does if it has more outputs than the first.
pub(crate) fn trains(node: &NodeProto) -> bool {
    let flag = attribute(node, "training_mode").is_some_and(|a| a.i() != 0);
    node.op_type() == "BatchNormalization" && (flag || node.output.iter().skip(1).any(|o| !o.is_empty()))
}

/// Omits the optional last outputs of a node that nobody reads: exporters write all of them, and a node with
/// them is another one to a library. True if the node was changed.
///
/// A BatchNormalization of an old operator set has the attribute `training_mode` then, which only newer ones
/// define.
pub(crate) fn omit(node: &mut NodeProto, opset: i64, read: &BTreeSet<String>) -> bool {
    let optional = optional_outputs(node.domain(), node.op_type(), opset);
    let unread = node.output.iter().rev().take_while(|o| o.is_empty() || !read.contains(*o)).count();
    let count = optional.min(unread).min(node.output.len().saturating_sub(1));
    let trains = trains(node) && attribute(node, "training_mode").is_none();
    if count == 0 {
        return false;
    }
    if trains {
        node.attribute.push(AttributeProto {
            name: Some("training_mode".into()),
            r#type: Some(AttributeType::Int as i32),
            i: Some(1),
            ..AttributeProto::default()
        });
    }
    node.output.truncate(node.output.len() - count);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(op: &str, outputs: &[&str]) -> NodeProto {
        NodeProto {
            op_type: Some(op.into()),
            output: outputs.iter().map(ToString::to_string).collect(),
            ..NodeProto::default()
        }
    }

    #[test]
    fn unread_optional_outputs_at_the_end_are_omitted() {
        let left = |op: &str, outputs: &[&str], read: &[&str]| {
            let mut node = node(op, outputs);
            let read = read.iter().map(ToString::to_string).collect();
            omit(&mut node, 13, &read);
            node.output
        };
        assert_eq!(left("Dropout", &["y", "mask"], &["y"]), ["y"]);
        assert_eq!(left("Dropout", &["y", "mask"], &["mask"]), ["y", "mask"]);
        assert_eq!(left("MaxPool", &["y", "indices"], &[]), ["y"]);
        // Its number of outputs says into how many parts it splits.
        assert_eq!(left("Split", &["a", "b"], &["a"]), ["a", "b"]);
        assert_eq!(left("BatchNormalization", &["y", "m", "v", "sm", "sv"], &["y", "m"]), ["y", "m"]);
    }

    #[test]
    fn an_old_batch_normalization_keeps_its_mode() {
        let mut node = node("BatchNormalization", &["y", "m", "v", "sm", "sv"]);
        assert!(trains(&node));
        assert!(omit(&mut node, 9, &BTreeSet::new()));
        assert!(trains(&node) && node.output == ["y"]);
    }
}
