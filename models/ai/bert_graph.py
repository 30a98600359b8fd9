"""A BERT sentence encoder as an ONNX graph, written from its weights: no torch at any time.

Devlin et al. 2018, "BERT", section 3 and appendix A; pooling as in Reimers, Gurevych 2019,
"Sentence-BERT", section 3: the mean of the tokens' last states, here of Euclidean length 1.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import InvalidError

OPSET = 20
"""The first with `Gelu`; onnxruntime 1.17 and newer run it."""
_CONTRIB = "com.microsoft"
"""onnxruntime's own operators: `Attention` is the whole of section 3.2 in one kernel."""

Weights = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BertShape:
    """What `config.json` says of an encoder.

    Attributes:
        layers: blocks.
        heads: attention heads of a block.
        width: numbers in a hidden state.
        positions: tokens read at most.
        epsilon: of layer normalization.
    """

    layers: int
    heads: int
    width: int
    positions: int
    epsilon: float

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "BertShape":
        """Return the shape that a configuration states.

        Raises:
            InvalidError: it is no BERT with absolute positions and the exact GELU.
        """
        kind = config.get("model_type")
        activation = config.get("hidden_act", "gelu")
        if kind != "bert" or activation != "gelu":
            raise InvalidError(f"a {kind} model with {activation} is none that is known here")
        return cls(
            layers=int(config["num_hidden_layers"]),
            heads=int(config["num_attention_heads"]),
            width=int(config["hidden_size"]),
            positions=int(config["max_position_embeddings"]),
            epsilon=float(config.get("layer_norm_eps", 1e-12)),
        )


class _Graph:
    """Nodes in order, each with its outputs' name; weights by theirs."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self.nodes: list[Any] = []
        self.initializers: dict[str, NDArray[Any]] = {}

    def weight(self, name: str) -> NDArray[Any]:
        """Return a weight of the model.

        Raises:
            InvalidError: it has none of the name.
        """
        try:
            return self._weights[name]
        except KeyError as error:
            raise InvalidError(f"the weights lack {name!r}") from error

    def constant(self, name: str, value: Any) -> str:
        """Keep a constant; the same name is kept once."""
        self.initializers[name] = np.ascontiguousarray(value)
        return name

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Append a node and return its output's name."""
        from onnx import helper

        name = f"{operator.lower()}_{len(self.nodes)}"
        node = helper.make_node(
            operator, list(inputs), [name], name=name, domain=domain, **attributes
        )
        self.nodes.append(node)
        return name

    def linear(self, value: str, name: str) -> str:
        """Multiply by a matrix and add its bias."""
        matrix = self.constant(f"{name}.matrix", self.weight(f"{name}.weight").T)
        bias = self.constant(f"{name}.bias", self.weight(f"{name}.bias"))
        return self.add("Add", self.add("MatMul", value, matrix), bias)

    def normalized(self, value: str, name: str, epsilon: float) -> str:
        """Normalize a layer."""
        scale = self.constant(f"{name}.scale", self.weight(f"{name}.weight"))
        bias = self.constant(f"{name}.bias", self.weight(f"{name}.bias"))
        return self.add("LayerNormalization", value, scale, bias, axis=-1, epsilon=epsilon)


def write_bert(weights: Weights, shape: BertShape, path: Path) -> None:
    """Write the encoder as ONNX: token ids and their mask in, sentence vectors out.

    Inputs `input_ids` and `attention_mask`, both (batch, tokens) int64; output `vectors`,
    (batch, width) float32 of Euclidean length 1.

    Raises:
        InvalidError: the weights are not those of such an encoder.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    prefix = "bert." if "bert.embeddings.word_embeddings.weight" in weights else ""
    graph = _Graph({name.removeprefix(prefix): value for name, value in weights.items()})
    _pool(graph, _encode(graph, shape, _embed(graph, shape)))
    batch = ["batch", "tokens"]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "sentence encoder",
            [
                helper.make_tensor_value_info(name, TensorProto.INT64, batch)
                for name in ("input_ids", "attention_mask")
            ],
            [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", shape.width])],
            [numpy_helper.from_array(value, name) for name, value in graph.initializers.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(_CONTRIB, 1)],
        ir_version=9,
        producer_name="fileorganizer",
    )
    onnx.save_model(model, str(path))


def _embed(graph: _Graph, shape: BertShape) -> str:
    words = graph.constant("words", graph.weight("embeddings.word_embeddings.weight"))
    # One sentence at a time: every token is of the first segment, so that is added to positions.
    segment = graph.weight("embeddings.token_type_embeddings.weight")[0]
    places = graph.constant(
        "places", graph.weight("embeddings.position_embeddings.weight") + segment
    )
    zero = graph.constant("zero", np.array([0], np.int64))
    one = graph.constant("one", np.array([1], np.int64))
    tokens = graph.add("Shape", "input_ids", start=1, end=2)
    read = graph.add("Slice", places, zero, tokens, zero, one)
    summed = graph.add("Add", graph.add("Gather", words, "input_ids"), read)
    return graph.normalized(summed, "embeddings.LayerNorm", shape.epsilon)


def _encode(graph: _Graph, shape: BertShape, state: str) -> str:
    from onnx import TensorProto

    mask = graph.add("Cast", "attention_mask", to=TensorProto.INT32)
    for layer in range(shape.layers):
        name = f"encoder.layer.{layer}"
        parts = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
        matrix = np.concatenate([graph.weight(f"{part}.weight").T for part in parts], axis=1)
        bias = np.concatenate([graph.weight(f"{part}.bias") for part in parts])
        attended = graph.add(
            "Attention",
            state,
            graph.constant(f"{name}.attention.matrix", matrix),
            graph.constant(f"{name}.attention.bias", bias),
            mask,
            domain=_CONTRIB,
            num_heads=shape.heads,
        )
        attended = graph.linear(attended, f"{name}.attention.output.dense")
        state = graph.normalized(
            graph.add("Add", attended, state), f"{name}.attention.output.LayerNorm", shape.epsilon
        )
        inner = graph.add("Gelu", graph.linear(state, f"{name}.intermediate.dense"))
        outer = graph.linear(inner, f"{name}.output.dense")
        state = graph.normalized(
            graph.add("Add", outer, state), f"{name}.output.LayerNorm", shape.epsilon
        )
    return state


def _pool(graph: _Graph, state: str) -> None:
    """Mean over the tokens that are there, then to length 1, named `vectors`."""
    from onnx import TensorProto, helper

    mask = graph.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    mask = graph.add("Unsqueeze", mask, graph.constant("last", np.array([-1], np.int64)))
    axis = graph.constant("tokens", np.array([1], np.int64))
    total = graph.add("ReduceSum", graph.add("Mul", state, mask), axis, keepdims=0)
    count = graph.add("ReduceSum", mask, axis, keepdims=0)
    mean = graph.add("Div", total, count)
    graph.nodes.append(
        helper.make_node("LpNormalization", [mean], ["vectors"], name="vectors", axis=-1, p=2)
    )
