"""A Keras network as an ONNX graph."""

from collections.abc import Iterator
from typing import Any

from training.onnx_graph import OPSET


def convert(network: Any) -> Any:
    """The network of one input and one output, converted by tf2onnx; the batch size stays open."""
    import tensorflow
    import tf2onnx

    shape, dtype = network.inputs[0].shape, network.inputs[0].dtype
    signature = [tensorflow.TensorSpec((None, *shape[1:]), dtype, name="features")]
    cells = list(_gru_cells(network))

    @tensorflow.function(input_signature=signature)
    def function(features: Any) -> Any:
        for cell in cells:
            cell.call = _gru_step(cell)
        return network(features, training=False)

    try:
        model, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET[""])
    finally:
        for cell in cells:
            del cell.call
    _sort(model.graph)
    _name_by_order(model.graph)
    return model


def _sort(graph: Any) -> None:
    """Put the nodes in the order in which the output needs them; tf2onnx's depends on names."""
    maker = {name: node for node in graph.node for name in node.output}
    done: dict[str, Any] = {}
    needed = [graph.output[0].name]
    while needed:
        node = maker.get(needed[-1])
        missing = [name for name in node.input if name in maker and maker[name].name not in done] if node else []
        if node and not missing:
            done.setdefault(node.name, node)
        if missing:
            needed.append(missing[0])
        else:
            needed.pop()
    nodes = list(done.values())
    del graph.node[:]
    graph.node.extend(nodes)


def _name_by_order(graph: Any) -> None:
    """Give all that has a name a new one; TensorFlow's count up with each network of a process."""
    names = {one.name: one.name for one in graph.input} | {"": ""}
    constants = {one.name: one for one in graph.initializer}
    used = [name for node in graph.node for name in node.input if name in constants]
    for place, name in enumerate(dict.fromkeys(used)):
        names[name] = constants[name].name = f"constant_{place}"
    for place, node in enumerate(graph.node):
        node.name = f"node_{place}"
        for output, name in enumerate(node.output):
            names.setdefault(name, f"value_{place}_{output}")
    for node in graph.node:
        node.input[:], node.output[:] = ([names[name] for name in side] for side in (node.input, node.output))
    kept = [constants[name] for name in dict.fromkeys(used)]
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(kept)
    for one in graph.output:
        one.name = names[one.name]


def _gru_cells(network: Any) -> Iterator[Any]:
    import keras

    for layer in network.layers:
        both = isinstance(layer, keras.layers.Bidirectional)
        for one in (layer.forward_layer, layer.backward_layer) if both else (layer,):
            if isinstance(one, keras.layers.GRU):
                yield one.cell


def _gru_step(cell: Any) -> Any:
    """What a GRU cell computes, in the operations by which tf2onnx recognises a GRU; Keras 3's it does not."""
    import tensorflow as tf

    kernel, recurrent = tf.convert_to_tensor(cell.kernel), tf.convert_to_tensor(cell.recurrent_kernel)
    bias, recurrent_bias = tf.unstack(tf.convert_to_tensor(cell.bias))

    def step(inputs: Any, states: Any, training: bool = False) -> Any:
        state = states[0]
        x_z, x_r, x_h = tf.split(tf.nn.bias_add(tf.matmul(inputs, kernel), bias), 3, axis=1)
        s_z, s_r, s_h = tf.split(tf.nn.bias_add(tf.matmul(state, recurrent), recurrent_bias), 3, axis=1)
        z, r = tf.sigmoid(x_z + s_z), tf.sigmoid(x_r + s_r)
        state = z * state + (1 - z) * tf.tanh(x_h + r * s_h)
        return state, [state]

    return step
