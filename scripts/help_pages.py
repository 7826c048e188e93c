"""Aligned sentences from LibreOffice help pages: HTML of the same page in two languages."""
import collections
import html.parser
import re
import unicodedata

# A full stop after these does not end a sentence.
ABBREVIATIONS = set(
    "abb abs allg approx bspw bzgl bzw ca corp dgl dr engl entspr etc evtl fig ggf inc inkl "
    "insb kap max min mr mrs no nr resp rsp sog st std str tab tel usw vgl vs zzgl".split())
SENTENCE_END = re.compile(r"""([^\s.!?]+)[.!?]["”“’»)\]]*\s+(?=["„“‚‘«(]?[A-ZÄÖÜ])""")
SPACE_BEFORE = re.compile(r"(?<=[\w\"”“)…]) (?=[,;.](\s|$))")  # left by an icon
ENGLISH = re.compile(r"\b(the|is|are|you|this|of|and|with|your)\b", re.IGNORECASE)
GERMAN = re.compile(r"\b(der|die|das|den|dem|ein|eine|einen|und|ist|sie|im|zu|mit|von|für|auf)\b",
                    re.IGNORECASE)


class Page(html.parser.HTMLParser):
    """One help page; texts: id -> list of texts, one for each time the page shows that id.

    A text keeps line breaks (<br>) as newlines. If the help offers one wording
    per system or application, the default wording is taken, else the first.
    """

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.texts = collections.defaultdict(list)
        self.id = None      # of the paragraph being read
        self.open = []      # its open spans: "switch", "case" or "plain"
        self.text = []      # parts read so far, of the innermost wording
        self.outer = []     # the same of the wordings and paragraph around it
        self.cases = []     # of each open switch: [(is default, text)]
        self.skipping = 0   # depth inside <script> and <style>

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag in ("script", "style"):
            self.skipping += 1
        elif tag in ("p", "h", "h1", "h2", "h3", "h4", "h5", "h6"):
            self.end_paragraph()
            name = given.get("id") or ""
            self.id = name if name.startswith(("par_", "hd_")) else None
        elif self.id is None:
            return
        elif tag == "br":
            self.text.append("\n")
        elif tag in ("img", "td", "li", "div"):
            self.text.append(" ")
        elif tag == "span":
            self.start_span(given)

    def start_span(self, given):
        if (given.get("class") or "") in ("switch", "switchinline"):
            self.open.append("switch")
            self.cases.append([])
        elif self.open and self.open[-1] == "switch":
            self.open.append("case")
            self.cases[-1].append(((given.get("id") or "").startswith("default"), ""))
            self.outer.append(self.text)
            self.text = []
        else:
            self.open.append("plain")

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self.skipping = max(0, self.skipping - 1)
        elif tag in ("p", "h", "h1", "h2", "h3", "h4", "h5", "h6"):
            self.end_paragraph()
        elif tag == "span" and self.open:
            self.end_span()

    def end_span(self):
        kind = self.open.pop()
        if kind == "case":
            is_default, _ = self.cases[-1][-1]
            self.cases[-1][-1] = (is_default, "".join(self.text))
            self.text = self.outer.pop()
        elif kind == "switch":
            cases = self.cases.pop()
            chosen = [text for is_default, text in cases if is_default] or [t for _, t in cases]
            self.text.extend(chosen[:1])

    def end_paragraph(self):
        while self.open:
            self.end_span()
        if self.id is not None:
            self.texts[self.id].append("".join(self.text))
        self.id, self.text = None, []

    def handle_data(self, data):
        if self.id is not None and not self.skipping:
            self.text.append(re.sub(r"\s+", " ", data))


def clean(text):
    """NFC, without control and invisible format characters, single spaces; newlines stay."""
    text = unicodedata.normalize("NFC", text)
    text = "".join(c for c in text if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf"))
    lines = (SPACE_BEFORE.sub("", " ".join(line.split())) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def sentences(text):
    """Sentences of a cleaned text; a line break ends one, an abbreviation or number does not."""
    found = []
    for line in text.split("\n"):
        start = 0
        for match in SENTENCE_END.finditer(line):
            word = match[1].lstrip("\"„“(").casefold()
            dotted = match[0][len(match[1])] == "."
            if dotted and (len(word) < 2 or word in ABBREVIATIONS or word[-1].isdigit()):
                continue
            found.append(line[start:match.end()].strip())
            start = match.end()
        found.append(line[start:].strip())
    return [sentence for sentence in found if sentence]


def similar_length(source, target):
    return len(source) <= 3 * len(target) and len(target) <= 3 * len(source)


def is_pair(source, target):
    if source == target or len(source.split()) < 3 or not similar_length(source, target):
        return False
    return not (len(ENGLISH.findall(source)) > 1 and not GERMAN.search(source))  # untranslated


def texts_of(path):
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    page.end_paragraph()
    return page.texts


def pairs_of(german_path, english_path):
    """[(source, target)] of a page's two files, in page order.

    A paragraph is split into sentences if both sides have equally many, of similar
    lengths; else it stays one pair. Untranslated and lopsided pairs are left out.
    """
    pairs, english = [], texts_of(english_path)
    for name, sources in texts_of(german_path).items():
        targets = english.get(name, [])
        if len(sources) != len(targets):
            continue  # shown by one side alone, or not as often
        for paragraph in zip(map(clean, sources), map(clean, targets)):
            source, target = map(sentences, paragraph)
            split = list(zip(source, target))
            if len(source) != len(target) or not all(similar_length(*pair) for pair in split):
                split = [tuple(side.replace("\n", " ") for side in paragraph)]
            pairs.extend(pair for pair in split if is_pair(*pair))
    return pairs
