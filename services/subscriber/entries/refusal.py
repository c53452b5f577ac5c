"""Why something that was entered cannot be taken."""


class Refusal(ValueError):
    """A short code for programs and a sentence for people; never the input itself."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
