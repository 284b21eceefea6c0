//! Single nodes, and types through graphs. ONNX Runtime 1.32 refuses and takes the same ones.

use super::super::proto::tensor_proto::DataType::{
    self, Bool, Float, Float16, Int8, Int32, Int64, Uint8, Uint16,
};
use super::super::proto::{
    AttributeProto, GraphProto, NodeProto, OperatorSetIdProto, TensorProto, TypeProto, ValueInfoProto,
    type_proto,
};
use super::find::find;
use super::generated::{MICROSOFT, ONNX};
use super::signature::Kind;
use super::{Given, check, check_types, output_types};

const MS: &str = "com.microsoft";

fn given(types: &[DataType]) -> Vec<Given> {
    types.iter().map(|t| Given::Tensor(*t)).collect()
}

#[track_caller]
fn refused(domain: &str, operator: &str, opset: i64, inputs: &[Given], reason: &str) {
    let told = check(domain, operator, opset, inputs).unwrap_err().to_string();
    assert_eq!(told, reason);
}

fn node(operator: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        op_type: Some(operator.into()),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: outputs.iter().map(ToString::to_string).collect(),
        ..NodeProto::default()
    }
}

fn with(mut n: NodeProto, attribute: AttributeProto) -> NodeProto {
    n.attribute.push(attribute);
    n
}

fn number(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: Some(name.into()), i: Some(i), ..AttributeProto::default() }
}

fn body(name: &str, g: GraphProto) -> AttributeProto {
    AttributeProto { name: Some(name.into()), g: Some(g), ..AttributeProto::default() }
}

fn value(name: &str, element: DataType) -> ValueInfoProto {
    let tensor = type_proto::Tensor { elem_type: Some(element as i32), shape: None };
    let r#type = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: Some(name.into()), r#type: Some(r#type), ..ValueInfoProto::default() }
}

fn graph(inputs: &[(&str, DataType)], nodes: Vec<NodeProto>, outputs: &[(&str, DataType)]) -> GraphProto {
    let values = |list: &[(&str, DataType)]| list.iter().map(|(n, t)| value(n, *t)).collect();
    GraphProto { node: nodes, input: values(inputs), output: values(outputs), ..GraphProto::default() }
}

fn reports(g: &GraphProto) -> Vec<(usize, String)> {
    let opset =
        |domain: &str, version| OperatorSetIdProto { domain: Some(domain.into()), version: Some(version) };
    check_types(g, &[opset("", 21), opset(MS, 1)]).reports
}

#[test]
fn tables_are_sorted_and_many_stand_last() {
    for table in [ONNX, MICROSOFT] {
        assert!(table.is_sorted_by(|a, b| (a.operator, a.since) < (b.operator, b.since)));
        for s in table {
            for list in [s.inputs, s.outputs] {
                let early = list.len().saturating_sub(1);
                assert!(list[..early].iter().all(|p| !matches!(p.kind, Kind::Many { .. })), "{}", s.operator);
            }
        }
    }
    assert!(find("", "Upsample", 9).is_some() && find("", "Upsample", 10).is_none());
    assert!(find("ai.onnx", "Add", i64::MAX).is_some() && find("", "Add", i64::MIN).is_none());
}

#[test]
fn inputs_are_held_against_the_signature() {
    let qlinear = [Uint8, Float, Uint8, Uint8, Float, Int8, Float, Uint8];
    refused(
        MS,
        "QLinearAdd",
        1,
        &given(&qlinear),
        "input \"B_zero_point\" is s8, but \"A\" is u8: QLinearAdd wants one type for both",
    );
    refused(
        "",
        "Relu",
        13,
        &given(&[Int32]),
        "input \"X\" is s32, but Relu takes f32, f16, f64 or bf16 there",
    );
    assert_eq!(check("", "Relu", 14, &given(&[Int32])), Ok(()));
    let concat = "input \"inputs[2]\" is u8, but \"inputs[0]\" is f32: Concat wants one type for both";
    refused("", "Concat", 13, &given(&[Float, Float, Uint8]), concat);
    // Each input of this one has a type of its own.
    let inputs = given(&[Float, Uint8, Int8, Float, Int8, Uint8, Float, Uint8]);
    assert_eq!(check(MS, "QLinearConcat", 1, &inputs), Ok(()));
    let reshape = "input \"shape\" is s32, but Reshape takes s64 there";
    refused("", "Reshape", 21, &given(&[Float, Int32]), reshape);
    assert_eq!(check(MS, "QuantizeLinear", 1, &given(&[Float, Float, Uint16])), Ok(()));
    assert_eq!(check("elsewhere", "Relu", 1, &given(&[Bool])), Ok(()));
    assert!(check("", "Add", 14, &[Given::Unknown, Given::Tensor(Bool)]).is_err());
    assert_eq!(check("", "Add", 14, &[Given::Unknown, Given::Tensor(Int8)]), Ok(()));
}

#[test]
fn inputs_are_counted() {
    refused("", "Add", 14, &given(&[Float]), "it has 1 inputs, but Add has 2");
    refused("", "Add", 14, &given(&[Float; 3]), "it has 3 inputs, but Add has 2");
    refused("", "Concat", 13, &[], "it has 0 inputs, but Concat has at least 1");
    refused("", "Clip", 13, &given(&[Float; 4]), "it has 4 inputs, but Clip has 1 to 3");
    let left_out = [Given::Tensor(Float), Given::LeftOut];
    refused("", "Add", 14, &left_out, "input \"B\" is left out, which Add does not allow");
    assert_eq!(check("", "Clip", 13, &left_out), Ok(()));
    let two = node("Relu", &["x"], &["y", "z"]);
    let told = reports(&graph(&[("x", Float)], vec![two], &[]));
    assert_eq!(told, [(0, "it has 2 outputs, but Relu has 1".to_string())]);
}

#[test]
fn outputs_have_types() {
    let types = |n: NodeProto, inputs: &[DataType]| output_types(&n, 21, &given(inputs));
    assert_eq!(types(node("Relu", &["x"], &["y"]), &[Float16]), [Some(Float16)]);
    assert_eq!(types(node("Equal", &["a", "b"], &["y"]), &[Float, Float]), [Some(Bool)]);
    assert_eq!(types(with(node("Cast", &["x"], &["y"]), number("to", 3)), &[Float]), [Some(Int8)]);
    assert_eq!(types(with(node("Cast", &["x"], &["y"]), number("to", i64::MAX)), &[Float]), [None]);
    let quantize = node("QuantizeLinear", &["x", "s"], &["y"]);
    assert_eq!(types(quantize.clone(), &[Float, Float]), [Some(Uint8)]);
    assert_eq!(types(quantize.clone(), &[Float, Float, Int8]), [Some(Int8)]);
    assert_eq!(types(with(quantize.clone(), number("output_dtype", 4)), &[Float, Float]), [Some(Uint16)]);
    let unknown = [Given::Tensor(Float), Given::Tensor(Float), Given::Unknown];
    assert_eq!(output_types(&quantize, 21, &unknown), [None]);
    assert_eq!(types(node("EyeLike", &["x"], &["y"]), &[Int32]), [Some(Int32)]);
    assert_eq!(types(node("ConstantOfShape", &["x"], &["y"]), &[Int64]), [Some(Float)]);
    assert_eq!(types(node("Split", &["x"], &["y", "z"]), &[Int8]), [Some(Int8); 2]);
    assert_eq!(types(node("Nobody", &["x"], &["y"]), &[Int8]), [None]);
}

#[test]
fn types_go_through_a_graph() {
    // The nodes are in no order.
    let nodes =
        || vec![node("Add", &["r", "w"], &["y"]), node("Relu", &["x"], &["r"]), node("Neg", &["y"], &["z"])];
    let mut g = graph(&[("x", Float)], nodes(), &[]);
    let weight = |element| TensorProto {
        name: Some("w".into()),
        data_type: Some(element as i32),
        ..TensorProto::default()
    };
    g.initializer = vec![weight(Float)];
    assert_eq!(reports(&g), []);
    g.initializer = vec![weight(Int8)];
    let told = "input \"B\" is s8, but \"A\" is f32: Add wants one type for both";
    assert_eq!(reports(&g), [(0, told.to_string())]);
    // Declarations are compared with the results of nodes; those of the outputs take precedence.
    g.initializer = vec![weight(Float)];
    g.value_info = vec![value("r", Uint8)];
    let told = "output \"r\" is f32, but the model declares it as u8";
    assert_eq!(reports(&g), [(1, told.to_string())]);
    g.output = vec![value("r", Float)];
    assert_eq!(reports(&g), []);
    // Constants keep their own type.
    let constants =
        vec![with(node("Constant", &[], &["c"]), number("value_int", 1)), node("Neg", &["c"], &["n"])];
    assert_eq!(reports(&graph(&[], constants, &[("c", Float), ("n", Int64)])), []);
    // An unknown operator returns what the model declares.
    g.node[1].op_type = Some("Nobody".into());
    g.output = vec![value("r", Uint8)];
    assert_eq!(reports(&g).len(), 1);
    g.input.push(value("w", Uint8));
    let told = "the initializer \"w\" is f32, but the graph input is u8";
    assert_eq!(reports(&g), [(0, told.to_string())]);
}

#[test]
fn what_a_quantizer_says_twice_is_the_same() {
    let quantize = |z: DataType| {
        let n = with(node("QuantizeLinear", &["x", "s", "z"], &["y"]), number("output_dtype", 2));
        reports(&graph(&[("x", Float), ("s", Float), ("z", z)], vec![n], &[]))
    };
    assert_eq!(quantize(Uint8), []);
    assert_eq!(quantize(Int8), [(0, "its zero point is s8, but its output_dtype is u8".to_string())]);
}

#[test]
fn types_go_through_branches_and_loops() {
    let branch = |element| graph(&[], vec![node("Add", &["x", "w"], &["p"])], &[("p", element)]);
    let g = |then: DataType, w: DataType, y: DataType| {
        let n = with(node("If", &["c"], &["y"]), body("then_branch", branch(then)));
        let n = with(n, body("else_branch", branch(Float)));
        reports(&graph(&[("c", Bool), ("x", Float), ("w", w)], vec![n], &[("y", y)]))
    };
    assert_eq!(g(Float, Float, Float), []);
    assert!(
        g(Int8, Float, Float)[0].1.starts_with("in its then_branch, node \"\" (Add): output \"p\" is f32")
    );
    assert!(g(Float, Int8, Float)[0].1.ends_with("wants one type for both"));
    assert_eq!(g(Float, Float, Int8)[0].1, "output \"y\" is f32, but the model declares it as s8");
    let inner = graph(
        &[("i", Int64), ("go", Bool), ("v", Int64)],
        vec![node("Identity", &["go"], &["on"]), node("Identity", &["v"], &["u"])],
        &[("on", Bool), ("u", Int64)],
    );
    let n = with(node("Loop", &["m", "", "x"], &["y"]), body("body", inner));
    let told = "in its body, the input \"v\" is declared as s64, but gets f32";
    let outer = graph(&[("m", Int64), ("x", Float)], vec![n.clone()], &[]);
    assert_eq!(reports(&outer), [(0, told.to_string())]);
    assert_eq!(reports(&graph(&[("m", Int64), ("x", Int64)], vec![n], &[("y", Int64)])), []);
}

#[test]
fn nonsense_is_no_panic() {
    let mut circle =
        graph(&[], vec![node("Add", &["b", "b"], &["a"]), node("Add", &["a", "a"], &["b"])], &[]);
    assert_eq!(reports(&circle), []);
    circle.node.push(NodeProto::default());
    circle.node.push(node("Concat", &[], &[]));
    circle.node.push(node("Constant", &["q"], &["b", "b", ""]));
    circle.node.push(node("Loop", &[], &["k", "l"]));
    circle.input.push(ValueInfoProto::default());
    circle.initializer.push(TensorProto { data_type: Some(-7), ..TensorProto::default() });
    assert_eq!(reports(&circle).iter().map(|r| r.0).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(check_types(&GraphProto::default(), &[]).reports, []);
}
