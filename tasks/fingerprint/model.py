"""Magika behind one method, for contents that name and signature leave open."""

from typing import Any

MINIMUM_BYTES = 8
"""Magika's own lower bound for asking its model; shorter contents are text or unknown."""


class TypeModel:
    """Magika 1.0 with its bundled model, on one thread so that the process can be forked."""

    def __init__(self) -> None:
        import onnxruntime
        from magika import Magika

        class SingleThreaded(Magika):
            """The same model; a session of one thread starts none, and a fork keeps it whole."""

            def _init_onnx_session(self) -> Any:
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = 1
                options.inter_op_num_threads = 1
                onnxruntime.disable_telemetry_events()
                return onnxruntime.InferenceSession(
                    self._model_path, sess_options=options, providers=["CPUExecutionProvider"]
                )

        self._magika = SingleThreaded()

    def label(self, content: bytes) -> str:
        """Return Magika's label of a content; `unknown` when it abstains.

        Args:
            content: the whole of it, or its first and last 4096 bytes: what Magika looks at.
        """
        if len(content) < MINIMUM_BYTES:
            return "unknown"
        result = self._magika.identify_bytes(content)
        return str(result.output.label)
