"""What commands print, run in this process."""

import pytest

from recsys.cli import main


class Told:
    """What commands printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def ok(self, *arguments: object) -> str:
        """The standard output of a command that went well."""
        status = main(list(map(str, arguments)))
        told = self.capsys.readouterr()
        assert status == 0, told.err
        return told.out

    def wrong(self, *arguments: object) -> str:
        """The one sentence of a command that was refused, after what it told of its progress."""
        assert main(list(map(str, arguments))) == 2
        told = self.capsys.readouterr()
        *progress, line = told.err.splitlines()
        assert all(other.startswith(("epoch ", "goes on from step ")) for other in progress)
        assert line.startswith("recsys: ")
        assert line.endswith(".")
        return line

    def misspelt(self, *arguments: object) -> str:
        """What a command line that cannot be read is told."""
        with pytest.raises(SystemExit) as ended:
            main(list(map(str, arguments)))
        assert ended.value.code == 2
        return " ".join(self.capsys.readouterr().err.split())
