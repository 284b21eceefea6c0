"""The package as a user meets it. From the repository: `python -m unittest discover python/tests`."""

import doctest
import gc
import os
import tempfile
import threading
import unittest

import numpy
import rcar_iss
from rcar_iss import _onnxruntime

PROGRAMS = os.path.join(os.path.dirname(__file__), "..", "..", "programs")
DIGIT = os.path.join(PROGRAMS, "digit_cnn", "model.onnx")


def digit(seed=0):
    return numpy.random.default_rng(seed).random((1, 1, 28, 28), numpy.float32)


class Values(unittest.TestCase):
    def test_engines_and_threads_give_every_tensor_alike(self):
        program = rcar_iss.compile(DIGIT, "rcn-s", keep="all")
        names = [port.name for port in program.tensors]
        self.assertGreater(len(names), 10)
        fast = program.session(threads=2).run({"input": digit()}, names)
        reference = program.session(engine="reference").run({"input": digit()}, names)
        self.assertEqual(list(fast), names)
        for port in program.tensors:
            self.assertEqual(list(fast[port.name].shape), port.shape)
            self.assertEqual(fast[port.name].dtype.name, port.dtype)
            numpy.testing.assert_array_equal(fast[port.name], reference[port.name], port.name)

    def test_arrays_of_any_strides_are_taken(self):
        session = rcar_iss.compile(DIGIT).session()
        plain = digit()
        columns = numpy.asfortranarray(plain)
        turned = numpy.ascontiguousarray(plain[0, 0].T).T[None, None]
        self.assertTrue(columns.flags["F_CONTIGUOUS"] and not columns.flags["C_CONTIGUOUS"])
        packed = numpy.zeros(plain.nbytes + 1, numpy.uint8)[1:].view(numpy.float32).reshape(plain.shape)
        packed[...] = plain
        self.assertFalse(packed.flags["ALIGNED"])
        stepped = numpy.zeros((1, 1, 28, 56), numpy.float32)[..., ::2]
        stepped[...] = plain
        self.assertFalse(stepped.flags["C_CONTIGUOUS"])
        expected = session.run({"input": plain})["output"]
        for array in (columns, turned, packed, stepped):
            numpy.testing.assert_array_equal(array, plain)
            numpy.testing.assert_array_equal(session.run({"input": array})["output"], expected)
        other = session.run({"input": numpy.ascontiguousarray(plain.transpose(0, 1, 3, 2))})["output"]
        self.assertFalse(numpy.array_equal(other, expected), "the turned picture must give something else")
        original = rcar_iss.Model(Accuracy.FLOAT)
        self.assertEqual(
            original.quantize([{"input": columns}]).to_bytes(), original.quantize([{"input": plain}]).to_bytes()
        )

    def test_a_program_file_gives_what_its_model_gives(self):
        program = rcar_iss.compile(DIGIT, "rcn-l")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "digit.rcn")
            program.save(path)
            again = rcar_iss.Program.open(path)
        self.assertEqual((again.name, again.machine, again.cycles), (program.name, "rcn-l", program.cycles))
        numpy.testing.assert_array_equal(
            again.session().run({"input": digit()})["output"], program.session().run({"input": digit()})["output"]
        )

    def test_cycles_are_those_of_all_layers(self):
        program = rcar_iss.compile(DIGIT)
        profile = program.profile()
        self.assertEqual(profile["cycles"], program.cycles)
        self.assertEqual([row["cycles"] for row in profile["layers"]], [layer.cycles for layer in program.layers])
        self.assertEqual(rcar_iss.estimate(DIGIT, "rcn-s")["machine"], "rcn-s")


class Accuracy(unittest.TestCase):
    FLOAT = os.path.join(PROGRAMS, "digit_cnn", "float.onnx")

    def test_a_float_network_is_quantized_compared_and_diagnosed(self):
        samples = [{"input": digit(seed)} for seed in range(4)]
        original = rcar_iss.Model(self.FLOAT)
        narrow, wide = (original.quantize(samples, threads=2, bits=bits, weight_bits=bits) for bits in (8, 16))
        noise = []
        for model in (narrow, wide):
            found = model.compile(keep="all").compare(original, samples, threads=2)
            noise.append(min(layer["accumulated"]["sqnr_db"] for layer in found["layers"]))
        self.assertGreater(noise[0], 10)
        self.assertGreater(noise[1], noise[0] + 20)
        self.assertEqual(narrow.diagnose(original, samples, "rcn-s")["diagnosis"]["findings"], [])

    def test_folders_are_samples_too(self):
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(3):
                numpy.save(os.path.join(folder, f"{seed}.npy"), digit(seed))
            of_folder = rcar_iss.quantize(self.FLOAT, folder)
            path = os.path.join(folder, "q.onnx")
            of_folder.save(path)
            again = rcar_iss.Model(path)
        of_arrays = rcar_iss.quantize(self.FLOAT, [{"input": digit(seed)} for seed in range(3)])
        self.assertEqual(of_folder.to_bytes(), of_arrays.to_bytes())
        self.assertEqual(again.to_bytes(), of_folder.to_bytes())


class LikeOnnxRuntime(unittest.TestCase):
    def test_names_choose_outputs_and_tensors_between(self):
        session = rcar_iss.InferenceSession(DIGIT, keep=["conv0_o_quantized"])
        [scores] = session.run(None, {"input": digit()})
        conv, again = session.run(["conv0_o_quantized", "output"], {"input": digit()})
        numpy.testing.assert_array_equal(scores, again)
        self.assertEqual(conv.dtype, numpy.uint8)
        self.assertEqual([(o.name, o.type, o.shape) for o in session.get_outputs()], [("output", "tensor(float)", [1, 10])])


class Refused(unittest.TestCase):
    def refused(self, kind, status, words, call, *args, **options):
        with self.assertRaises(kind) as caught:
            call(*args, **options)
        self.assertIsInstance(caught.exception, rcar_iss.RcarIssError)
        self.assertEqual(caught.exception.status, status)
        self.assertIn(words, str(caught.exception))

    def test_errors_have_the_words_of_the_command_line(self):
        session = rcar_iss.compile(DIGIT).session()
        usage, invalid = rcar_iss.UsageError, rcar_iss.InvalidInput
        self.refused(usage, 2, "did you mean 'rcn-m'", rcar_iss.compile, DIGIT, "rcn-mm")
        self.refused(invalid, 3, "No such file", rcar_iss.compile, "nowhere.onnx")
        self.refused(invalid, 3, "not an ONNX model", rcar_iss.compile, b"abc")
        self.refused(usage, 2, "has no input 'inptu'", session.run, {"inptu": digit()})
        self.refused(usage, 2, "no value is given", session.run, {})
        self.refused(invalid, 3, "takes float32", session.run, {"input": digit().astype(numpy.float64)})
        self.refused(usage, 2, "has no tensor 'conv'", session.run, {"input": digit()}, ["conv"])
        self.refused(usage, 2, "this CPU has", rcar_iss.compile(DIGIT).session, kernels="x")
        with self.assertRaises(TypeError):
            session.run({"input": numpy.array(["a"])})
        session.run({"input": digit()})

    def test_settings_that_are_none_are_named(self):
        original = rcar_iss.Model(Accuracy.FLOAT)
        samples = [{"input": digit()}]
        self.refused(rcar_iss.UsageError, 2, "methods", original.quantize, samples, methods="mse")
        self.refused(rcar_iss.UsageError, 2, "did you mean 'mse'", original.quantize, samples, method="mze")

    def test_a_model_that_cannot_be_compiled_is_unsupported(self):
        path = os.path.join(PROGRAMS, "digit_cnn", "float.onnx")
        self.refused(rcar_iss.UnsupportedModel, 4, "cannot be compiled", rcar_iss.compile, path, host=False)


class Threads(unittest.TestCase):
    def test_sessions_are_safe_together_and_one_by_many(self):
        program = rcar_iss.compile(DIGIT)
        inputs = [digit(seed) for seed in range(8)]
        expected = [program.session().run({"input": x})["output"] for x in inputs]
        shared, wrong = program.session(), []

        def work(session):
            for _ in range(20):
                for x, y in zip(inputs, expected):
                    if not numpy.array_equal(session.run({"input": x})["output"], y):
                        wrong.append(1)

        threads = [threading.Thread(target=work, args=(s,)) for s in (shared, shared, program.session())]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    @unittest.skipUnless(os.path.exists("/proc/self/statm"), "memory is read in /proc")
    def test_runs_leave_no_memory_behind(self):
        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        session = rcar_iss.compile(DIGIT, keep="all").session()
        names = [port.name for port in session_ports()]
        x = {"input": digit()}
        for _ in range(500):
            session.run(x, names)
        gc.collect()
        before = resident()
        for _ in range(1000):
            session.run(x, names)
        gc.collect()
        self.assertLess(resident() - before, 2 << 20)


def session_ports():
    return rcar_iss.compile(DIGIT, keep="all").tensors


def load_tests(_loader, tests, _pattern):
    """The examples in the documentation, from the repository's root."""
    os.chdir(os.path.join(PROGRAMS, ".."))
    for module in (rcar_iss, _onnxruntime):
        tests.addTests(doctest.DocTestSuite(module, optionflags=doctest.ELLIPSIS))
    return tests


if __name__ == "__main__":
    unittest.main()
