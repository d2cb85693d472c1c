"""An ONNX graph whose weights are said to lie in a file outside of its folder."""

from pathlib import Path

from onnx import TensorProto, helper

SECRET = b"0123456789abcdef"
PLACES = ("../private", "../../{root}/private", "{parent}/private", "in/../../private", "link")


def write_graph(folder: Path, place: str) -> Path:
    """`model.onnx` in `folder`, its one weight said to be the bytes of a file beside the folder."""
    (folder / "in").mkdir(parents=True)
    (folder.parent / "private").write_bytes(SECRET)
    (folder / "link").symlink_to(folder.parent / "private")
    weight = TensorProto(
        name="weight", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL
    )
    where = {
        "location": place.format(root=folder.parent.name, parent=folder.parent),
        "offset": "0",
        "length": str(len(SECRET)),
    }
    for key, value in where.items():
        weight.external_data.add(key=key, value=value)
    answer = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [4])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["weight"], ["logits"])], "graph", [], [answer], [weight]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder
