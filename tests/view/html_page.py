"""A page as its reader gets it: elements, ids, words and figures."""

import html.parser
import json
import re

# Elements that HTML closes by itself.
_VOID = {"meta", "input", "br", "image", "use"}


class Page(html.parser.HTMLParser):
    """A parsed page.

    Args:
        source: the page, HTML.

    Attributes:
        left_open: elements without an end; those closed out of turn are in `wrong`.
        ids, links: the ids it gives, and those it points at.
        counts: element -> how often it begins.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.left_open, self.wrong, self.ids, self.links, self.counts = [], [], [], [], {}
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self.left_open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value[1:] for name, value in attrs if name == "href" and (value or "").startswith("#")]

    def handle_endtag(self, tag):
        if not self.left_open or self.left_open.pop() != tag:
            self.wrong.append((tag, self.getpos()))

    @property
    def well_formed(self) -> bool:
        """Whether elements nest, ids are given once and links lead somewhere."""
        closed = not self.wrong and not self.left_open
        return closed and len(set(self.ids)) == len(self.ids) and set(self.links) <= set(self.ids)

    @property
    def fetches(self) -> list[str]:
        """Addresses outside the page that it would load."""
        return re.findall(
            r"""(?:src|href)=["']?(?:https?:)?//\S*""", re.sub(r"(?s)<script.*?</script>", "", self.source)
        )

    @property
    def text(self) -> str:
        """The words, without scripts and styles."""
        shown = re.sub(r"(?s)<(script|style).*?</\1>", "", self.source)
        return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", shown))

    def figure(self, name: str) -> dict:
        """The data and layout of a Plotly figure."""
        return json.loads(re.search(rf'id="figure-{name}">(.*?)</script>', self.source, re.DOTALL)[1])
