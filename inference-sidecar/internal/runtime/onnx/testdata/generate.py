"""Writes the small models of this folder. Needs the onnx package (1.23.2 was used)."""
from onnx import TensorProto as T, helper as h, save

def write(name, nodes, inputs, outputs, initializers=()):
    graph = h.make_graph(nodes, name, inputs, outputs, list(initializers))
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], producer_name="weir")
    model.ir_version = 9
    save(model, name + ".onnx")

def value(name, kind, shape):
    return h.make_tensor_value_info(name, kind, shape)

kinds = dict(bool=T.BOOL, u8=T.UINT8, u16=T.UINT16, u32=T.UINT32, u64=T.UINT64, i8=T.INT8, i16=T.INT16, i32=T.INT32,
             i64=T.INT64, f16=T.FLOAT16, bf16=T.BFLOAT16, f32=T.FLOAT, f64=T.DOUBLE, text=T.STRING)
# Every element type in and out. The 16-bit ones have a fixed inner size, as the server demands.
for name, kind in kinds.items():
    shape = ["n", 2]
    write("identity_" + name, [h.make_node("Identity", ["in_" + name], ["out_" + name])],
          [value("in_" + name, kind, shape)], [value("out_" + name, kind, shape)])
# A scalar in and a scalar out.
write("scalar", [h.make_node("ReduceSum", ["x"], ["sum"], keepdims=0), h.make_node("Add", ["sum", "bias"], ["y"])],
      [value("x", T.FLOAT, ["n"]), value("bias", T.FLOAT, [])], [value("y", T.FLOAT, [])])
# An output of which the file does not tell the rank.
write("rankless", [h.make_node("Identity", ["x"], ["y"])], [value("x", T.FLOAT, ["n", 2])], [value("y", T.FLOAT, None)])
# A 16-bit output of unknown size.
write("half_unknown", [h.make_node("Identity", ["x"], ["y"])],
      [value("x", T.FLOAT16, ["n", "m"])], [value("y", T.FLOAT16, ["n", "m"])])
# Fails on an index that is out of range.
write("lookup", [h.make_node("Gather", ["table", "i"], ["y"])], [value("i", T.INT64, ["n"])], [value("y", T.FLOAT, ["n"])],
      [h.make_tensor("table", T.FLOAT, [3], [1, 2, 3])])
# Makes as many bytes as it is asked for.
write("expand", [h.make_node("Expand", ["x", "shape"], ["y"])],
      [value("x", T.FLOAT, [1]), value("shape", T.INT64, [1])], [value("y", T.FLOAT, ["n"])])
# Takes long enough to be interrupted: a loop of n small steps.
i, cond, acc = value("i", T.INT64, []), value("cond", T.BOOL, []), value("acc", T.FLOAT, [])
body = h.make_graph([h.make_node("Identity", ["cond"], ["again"]), h.make_node("Cos", ["acc"], ["next"])], "body",
                    [i, cond, acc], [value("again", T.BOOL, []), value("next", T.FLOAT, [])])
write("loop", [h.make_node("Loop", ["n", "", "x"], ["y"], body=body)],
      [value("n", T.INT64, []), value("x", T.FLOAT, [])], [value("y", T.FLOAT, [])])
