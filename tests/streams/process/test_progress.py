import io

from rich.console import Console

from streams.process.progress import Bar


def test_where_there_is_no_terminal_lines_are_few_unless_asked_for():
    text = io.StringIO()
    with Bar(Console(file=text, width=200), done=10, total=100) as bar:
        for done in (20, 30):
            bar.show(done)
        bar.show(100, "loss 2", at_once=True)
    first, last = text.getvalue().splitlines()
    assert first.startswith("20 of 100 frames")
    assert last.startswith("100 of 100 frames")
    assert last.endswith("loss 2")
