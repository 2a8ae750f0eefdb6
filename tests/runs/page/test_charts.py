import re
import xml.etree.ElementTree as ET

import numpy as np

from runs.page.charts import HEIGHT, WIDTH, Line, line_chart

X = np.array([0.0, 1.0, 2.0])
SVG = "{http://www.w3.org/2000/svg}"


def drawn(lines, levels=()):
    text = line_chart(lines, levels=dict(levels), x_label="x", y_label="y")
    return ET.fromstring(text)


def test_a_higher_number_is_drawn_higher_and_a_later_one_to_the_right():
    svg = drawn([Line("a", X, np.array([1.0, 2.0, 4.0]))])
    dots = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in svg.iter("circle")]
    assert len(dots) == 3
    assert [x for x, _ in dots] == sorted(x for x, _ in dots)
    assert [y for _, y in dots] == sorted((y for _, y in dots), reverse=True)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in dots)


def test_names_at_the_ends_of_lines_do_not_lie_on_one_another():
    lines = [Line(f"line {n}", X, np.full(3, 1 + n / 1000)) for n in range(5)]
    svg = drawn(lines, {"level": 1.0, "far": 2.0})
    names = {
        text.text: float(text.get("y")) for text in svg.iter("text") if "line" in text.text or text.text == "level"
    }
    heights = sorted(names.values())
    assert len(names) == 6
    assert min(np.diff(heights)) > 12
    assert 0 < heights[0] <= heights[-1] < HEIGHT


def test_numbers_that_were_not_measured_are_left_out():
    svg = drawn([Line("a", X, np.array([np.nan, 2.0, 3.0]), np.full(3, np.nan), np.full(3, np.nan))])
    assert len([*svg.iter("circle")]) == 2
    assert not [path for path in svg.iter("path") if "band" in path.get("class")]
    assert "nan" not in ET.tostring(svg, encoding="unicode")


def test_an_interval_is_a_band_around_its_line():
    y = np.array([1.0, 2.0, 3.0])
    svg = drawn([Line("a", X, y, y - 0.5, y + 0.5)])
    (band,) = [path.get("d") for path in svg.iter("path") if "band" in path.get("class")]
    heights = [float(pair.split()[1]) for pair in re.split("[ML]", band.rstrip("Z"))[1:]]
    (line,) = [path.get("d") for path in svg.iter("path") if path.get("class").startswith("line")]
    middle = [float(pair.split()[1]) for pair in re.split("[ML]", line)[1:]]
    assert np.allclose((np.array(heights[:3]) + np.array(heights[:2:-1])) / 2, middle, atol=0.11)


def test_names_are_escaped():
    assert drawn([Line("<b>&", X, X)]) is not None
