"""A process of its own that writes a run as a TensorBoard event file; the run comes as JSON on standard input."""

import json
import os
import sys

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.summary.writer.record_writer import RecordWriter

#: Column of `history.csv` -> tag; weights and the bias follow below `parameter/`.
TAGS = {"train_loss": "loss/train", "validation_loss": "loss/validation", "gap": "gap", "lr": "lr"}


def main() -> None:
    """Write the file beside its final place, and rename it."""
    given = json.load(sys.stdin)
    _say("begun")
    path, content = given["file"], given["content"]
    begun = content["begun"]
    draft = f"{path}.draft"
    with open(draft, "wb") as file:
        writer = RecordWriter(file)

        def add(**values: object) -> None:
            writer.write(Event(**values).SerializeToString())

        add(wall_time=begun, file_version="brain.Event:2")
        # In the same file: a file of its own would be a second run on the page.
        plain = {
            key: value for key, value in content["settings"].items() if isinstance(value, bool | int | float | str)
        }
        add(wall_time=begun, summary=hparams.hparams_pb(plain, trial_id=content["run"], start_time_secs=begun))
        add(wall_time=begun, summary=_text("config", content["config"]))
        for epoch in content["epochs"]:
            values = [Summary.Value(tag=_tag(name), simple_value=value) for name, value in epoch["values"].items()]
            add(wall_time=epoch["time"], step=epoch["step"], summary=Summary(value=values))
        last = content["epochs"][-1] if content["epochs"] else {"time": begun, "step": 0}
        values = [Summary.Value(tag=f"metric/{name}", simple_value=each) for name, each in content["metrics"].items()]
        add(wall_time=last["time"], step=last["step"], summary=Summary(value=values))
        writer.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    _say(json.dumps({"file": path}))


def _tag(column: str) -> str:
    return TAGS.get(column) or f"parameter/{column.removeprefix('weight:')}"


def _text(tag: str, text: str) -> Summary:
    """A text, as the plugin for texts reads it: Markdown, in which four spaces keep lines as they are."""
    shown = "".join(f"    {line}\n" for line in text.splitlines())
    tensor = TensorProto(dtype=DT_STRING, string_val=[shown.encode()], tensor_shape=TensorShapeProto())
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=tensor)])


def _say(line: str) -> None:
    """Tell the process that waits: stdout leads to it alone."""
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    main()
