"""What the sandboxes of one workspace have in common, whatever program of the operating system holds the commands."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeflow.core.places import private_folder
from codeflow.core.settings import SandboxSettings
from codeflow.tools.sandbox import journal, stashes
from codeflow.tools.sandbox.installation import installed, told
from codeflow.tools.sandbox.originals import Copies
from codeflow.tools.sandbox.port import Confined
from codeflow.tools.sandbox.protected import Protection
from codeflow.tools.sandbox.proxy import Proxy
from codeflow.tools.sandbox.reach import Reach, make_caches, reach
from codeflow.tools.sandbox.watch import Watch, head_positions

_READ_ONLY = (
    "in the sandbox only the workspace can be changed, and in it not what others run or obey later: .git/config and "
    ".git/hooks, CI files, the settings of editors, shells and agents; where such a change is needed, ask the user for it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A workspace with the settings of its sandbox."""

    git: str | None
    settings: SandboxSettings
    workspace: Path
    private: Path
    """Of codeflow's, for this workspace: holds the commands' home folder, can be deleted."""
    kept: Path
    """Likewise: what was put aside, and the journals."""
    own_folders: Sequence[Path]
    readable: Sequence[Path]
    trusted: Sequence[Path] = ()
    """Folders that the user trusts, wherever they are."""

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders in which the user lets commands change files."""
        return (self.workspace, *map(expanded, self.settings.writable))

    def reach(
        self, env: Mapping[str, str], *, writable: Iterable[Path], manager: str, readable: Iterable[Path] = ()
    ) -> tuple[Reach, Protection]:
        """What a command can reach; `readable` is of codeflow's own, the rest as in `Sandbox.confine`."""
        home = private_folder(self.private / "home")
        make_caches(manager, env)
        return reach(
            self.workspace,
            env,
            private_home=home,
            own_folders=self.own_folders,
            readable=[*self.readable, *readable],
            writable=self.roots[1:],
            reports=(path.resolve() for path in writable),
            network=self.settings.network,
            manager=manager,
            git=self.git,
            trusted=self.trusted,
        )

    def confined(
        self,
        argv: Sequence[str],
        protected: Protection,
        *,
        copies: Copies = (),
        proxy: Proxy | None = None,
        ends: tuple[str, ...] = (),
        clean: Callable[[], None] = lambda: None,
    ) -> Confined:
        """A command line that is held already, with what is looked after when it has ended; `clean` is called last.

        `copies` are of what is protected but not read-only, `ends` is as in `Watch`.
        """
        before = stashes.begin(self.workspace)
        try:
            watch = Watch(
                protected, self.kept / "aside", self.git, head_positions(protected), copies, ends, before
            )
            held = journal.begin(self.kept / "journals", watch)
        except BaseException:
            stashes.end(before)
            raise

        def ended() -> Sequence[str]:
            left = True
            try:
                aftermath = watch.put_aside()
                left = aftermath.left
            finally:
                taken = stashes.end(before)
                held.close(kept=left)
            if not left:  # else what it was is still there
                clean()
            return (*aftermath.told, *taken)

        return Confined(
            argv=argv,
            proxy=proxy,
            ended=ended,
            journal=held.path,
            hint=". ".join(filter(None, (_READ_ONLY, told(self.roots)))),
            processes=self.settings.max_processes,
            file_bytes=self.settings.max_file_mb * 1_000_000,
        )

    def uncovered(self, env: Mapping[str, str]) -> str:
        """Why it needs more than copies of what is protected; empty where it does not: nothing that can be written could
        be hidden, and codeflow itself runs while commands do.
        """
        if held := installed(self.roots):
            return (
                f"it cannot make {held[0][1]} read-only, which codeflow runs from; install codeflow elsewhere, such as by "
                "pipx"
            )
        within, _ = self.reach(env, writable=(), manager="")
        hidden = [path for path in within.hidden if any(path.is_relative_to(one) for one in within.writable)]
        return f"it cannot hide {hidden[0]}, which is in a folder that commands may change" if hidden else ""


def expanded(text: str) -> Path:
    """A path as a setting names it."""
    return Path(text).expanduser().resolve()
