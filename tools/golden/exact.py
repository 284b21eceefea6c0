"""Sessions of ONNX Runtime whose integer sums are exact on every CPU."""
import onnxruntime as ort
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

# The option that is set twice below would be warned of.
ort.set_default_logger_severity(3)


def session(model, options):
    """A session of a model. `options` must not be used for another one.

    On x86 without VNNI, the kernel of u8 × s8 saturates the sum of each pair of products, unless `x64quantprecision` turns
    weights of s8 into u8. That also changes products of s8 × s8, for which there is no kernel then; as they are, they are exact.
    """
    def made():
        return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        return made()
    except NoKernel:
        options.add_session_config_entry("session.x64quantprecision", "0")
        return made()
