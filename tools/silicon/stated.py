"""Networks that no table names, from a row's own words: a model of a package with its extent.

"timm regnetx_004" at 224x224x3 is the graph timm-regnetx_004-224; "keras.applications MobileNet alpha=0.5", with or
without a head for food-101, is mobilenetv1-0.5-food101-224. Their weights are random, as everywhere here.
"""
import re

SOURCES = r"\b(timm|torchvision|pytorchcv)\b[^:;,/(]*?(?:\([^)]*\))?:? +([a-z][a-z0-9]*(?:_?[a-z0-9]+)*)"
GUESS = re.compile(r"assumed|uncertain|unknown|check|close|TBD|inferred|\?")


def stated(row):
    """(name of a graph, what is uncertain about it), or None."""
    if len(row.size) != 2 or row.size[0] != row.size[1]:
        return None
    doubt = "as the row says" if GUESS.search(row.topology_from + row.input) else ""
    extent, food = row.size[0], "-food101" if "food" in row.model.lower() else ""
    keras = re.search(r"keras\S* MobileNet(V2)?(?!\w)(?: alpha=([\d.]+))?", row.topology_from)
    if keras:
        alpha = float(keras[2] or 1)
        return f"mobilenetv{2 if keras[1] else 1}-{alpha}{food}-{extent}", doubt
    if row.name.startswith("yolov8n-"):
        return f"yolov8n-person-{extent}", doubt
    found = re.search(SOURCES, row.topology_from)
    return (f"{found[1]}-{found[2]}-{extent}", doubt) if found else None


def build(name):
    """The Graph of a name that `stated` made; None for another."""
    import mobilenet
    import yolo
    from graphs import UNAUXILIARY, of, square

    plain = re.fullmatch(r"(timm|torchvision|pytorchcv)-(\w+)-(\d+)", name)
    if plain:
        more = UNAUXILIARY if plain[2].startswith(("inception", "googlenet")) and plain[1] == "torchvision" else {}
        opset = 16 if re.search("vit|deit|swin|convnext|mixer", plain[2]) else 17
        return square(of(plain[1], plain[2], **more), int(plain[3]), large=int(plain[3]) > 320, opset=opset)
    keras = re.fullmatch(r"mobilenetv([12])-([\d.]+)(-food101)?-(\d+)", name)
    if keras:
        alpha, classes, extent = float(keras[2]), 101 if keras[3] else 1000, int(keras[4])
        if keras[1] == "1":
            return square(lambda: mobilenet.mobilenet_v1(alpha, classes), extent)
        return square(of("torchvision", "mobilenet_v2", width_mult=alpha, num_classes=classes), extent)
    person = re.fullmatch(r"yolov8n-person-(\d+)", name)
    return square(lambda: yolo.yolov8n(1), int(person[1])) if person else None
