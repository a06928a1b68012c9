"""What a firmware ELF holds: bytes per section and per symbol, and the segments to load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from edgesparse.errors import BuildError

__all__ = ["Elf", "Segment", "Symbol", "read_elf"]

CODE, WEIGHTS, TABLES, TEST_VECTORS = "code", "weights", "tables", "test vectors"

# Initialised data is code's: its initial values lie in flash behind the tables.
FLASH_SECTIONS = {
    ".text": CODE,
    ".rodata": CODE,
    ".weights": WEIGHTS,
    ".tables": TABLES,
    ".data": CODE,
    ".test_vectors": TEST_VECTORS,
}
RAM_SECTIONS = (".stack", ".arena", ".guard", ".bss")  # reserved, nothing to load


@dataclass(frozen=True)
class Symbol:
    """A function (address without the Thumb bit) or an object; size 0 for linker symbols."""

    address: int
    size: int
    section: str


@dataclass(frozen=True)
class Segment:
    """Bytes and the address that they are programmed to."""

    address: int
    data: bytes


@dataclass(frozen=True)
class Elf:
    """A built firmware. flash_bytes = code_bytes + weight_bytes + table_bytes, without the test vectors.

    `code_bytes` has the vector table, code, read-only data and the initial values of .data. `weight_bytes` are those in
    flash; `ram_weight_bytes` of them are copied to RAM at start-up, and are part of `data_bytes` too.
    `bss_bytes` includes the guard behind the arena; `arena_bytes` and the reserved stack are apart.
    `segments` has all that is loaded, test vectors included. `code` has the address and bytes of each run of
    instructions: .text without the constants between them.
    """

    path: Path
    flash_bytes: int
    code_bytes: int
    weight_bytes: int
    table_bytes: int
    test_vector_bytes: int
    data_bytes: int
    bss_bytes: int
    arena_bytes: int
    stack_reserved_bytes: int
    entry: int
    symbols: dict[str, Symbol]
    segments: tuple[Segment, ...]
    code: tuple[tuple[int, bytes], ...]
    ram_weight_bytes: int = 0

    def symbol(self, name: str) -> Symbol:
        """A symbol that every firmware has; BuildError when it is missing."""
        if name not in self.symbols:
            raise BuildError(f"{self.path}: symbol {name!r} is missing; build the project again")
        return self.symbols[name]

    def read(self, symbol: Symbol) -> bytes:
        """The bytes that an object has in flash; BuildError where nothing is loaded there."""
        for segment in self.segments:
            start = symbol.address - segment.address
            if start >= 0 and start + symbol.size <= len(segment.data):
                return segment.data[start : start + symbol.size]
        raise BuildError(f"{self.path}: nothing is loaded at {symbol.address:#010x}; build the project again")

    def describe(self, address: int) -> str:
        """`name+0x12` of the function at an address, else the address in hexadecimal."""
        for name, symbol in self.symbols.items():
            if symbol.section == ".text" and 0 <= address - symbol.address < symbol.size:
                return f"{name}+{address - symbol.address:#x}"
        return f"{address:#010x}"


def read_elf(path: Path) -> Elf:
    """Read a firmware ELF; BuildError when a section to load is not one of the known ones."""
    try:
        with path.open("rb") as stream:
            return _read(path, ELFFile(stream))
    except (OSError, ELFError) as error:
        raise BuildError(f"{path}: not a readable ELF ({error}); build the project again") from error


def _read(path: Path, file: ELFFile) -> Elf:
    sizes: dict[str, int] = {}
    for section in file.iter_sections():
        if section["sh_flags"] & 0x2 == 0 or section["sh_size"] == 0:  # SHF_ALLOC
            continue
        nobits = section["sh_type"] == "SHT_NOBITS"
        if section.name not in (RAM_SECTIONS if nobits else FLASH_SECTIONS) and not (
            nobits and section.name == ".data"
        ):
            raise BuildError(
                f"{path}: section {section.name!r} of {section['sh_size']} bytes is not expected in a firmware; "
                "its bytes would not be counted"
            )
        sizes[section.name] = sizes.get(section.name, 0) + section["sh_size"]

    segments = tuple(
        Segment(segment["p_paddr"], segment.data())
        for segment in file.iter_segments()
        if segment["p_type"] == "PT_LOAD" and segment["p_filesz"] > 0
    )
    flash = {
        kind: sum(sizes.get(name, 0) for name, other in FLASH_SECTIONS.items() if other == kind)
        for kind in (CODE, WEIGHTS, TABLES, TEST_VECTORS)
    }
    symbols = _symbols(file)
    ram_weights = _ram_weights(symbols)
    flash[WEIGHTS] += ram_weights
    flash[CODE] -= ram_weights
    # Alignment between sections is flash too: count it as code.
    loaded = sum(len(segment.data) for segment in segments)
    span = _span(segments)
    padding = max(loaded, span) - sum(flash.values())
    if padding < 0:
        raise BuildError(f"{path}: sections of {sum(flash.values())} bytes but {loaded} to load; build it again")
    code_bytes = flash[CODE] + padding
    return Elf(
        path=path,
        flash_bytes=code_bytes + flash[WEIGHTS] + flash[TABLES],
        code_bytes=code_bytes,
        weight_bytes=flash[WEIGHTS],
        ram_weight_bytes=ram_weights,
        table_bytes=flash[TABLES],
        test_vector_bytes=flash[TEST_VECTORS],
        data_bytes=sizes.get(".data", 0),
        bss_bytes=sizes.get(".bss", 0) + sizes.get(".guard", 0),
        arena_bytes=sizes.get(".arena", 0),
        stack_reserved_bytes=sizes.get(".stack", 0),
        entry=file["e_entry"],
        symbols=symbols,
        segments=segments,
        code=_code(path, file),
    )


def _ram_weights(symbols: Mapping[str, Symbol]) -> int:
    """Bytes of the weights that start-up copies to RAM, with the padding between them: they begin .data."""
    names = ("__data_start", "__ram_weights_end")
    if not all(name in symbols for name in names):  # a project from before weights could lie in RAM
        return 0
    start, end = (symbols[name].address for name in names)
    return end - start


def _span(segments: tuple[Segment, ...]) -> int:
    """Bytes from the first address that is programmed to the last, gaps included."""
    if not segments:
        return 0
    first = min(segment.address for segment in segments)
    return max(segment.address + len(segment.data) for segment in segments) - first


def _code(path: Path, file: ELFFile) -> tuple[tuple[int, bytes], ...]:
    """Runs of instructions in .text, by the mapping symbols of the Arm ELF ABI: $t starts code, $d data."""
    text, table = file.get_section_by_name(".text"), file.get_section_by_name(".symtab")
    if text is None or not isinstance(table, SymbolTableSection):
        return ()
    start, data = text["sh_addr"], text.data()
    end = start + len(data)
    marks: dict[int, bool] = {}
    for entry in table.iter_symbols():
        name = entry.name.split(".")[0]
        if name in ("$t", "$d", "$a") and start <= entry["st_value"] < end:
            if name == "$a":
                raise BuildError(f"{path}: Arm (not Thumb) code at {entry['st_value']:#010x}; no Cortex-M runs it")
            marks[entry["st_value"]] = name == "$t"
    if not any(marks.values()):
        raise BuildError(f"{path}: no mapping symbols tell code from data; do not strip the firmware")
    places = sorted(marks)
    return tuple(
        (place, data[place - start : following - start])
        for place, following in zip(places, [*places[1:], end], strict=True)
        if marks[place]
    )


def _symbols(file: ELFFile) -> dict[str, Symbol]:
    """All named symbols. Of equal names a global one comes first; others get their file: `name (file.c)`."""
    table = file.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        return {}
    names = [section.name for section in file.iter_sections()]
    found: list[tuple[bool, str, str, Symbol]] = []
    source = ""
    for entry in table.iter_symbols():
        kind, index = entry["st_info"]["type"], entry["st_shndx"]
        if kind == "STT_FILE":
            source = Path(entry.name).name
        if kind not in ("STT_FUNC", "STT_OBJECT", "STT_NOTYPE") or not entry.name or entry.name.startswith("$"):
            continue
        if not isinstance(index, int) and index != "SHN_ABS":
            continue
        address = entry["st_value"] & ~1 if kind == "STT_FUNC" else entry["st_value"]
        section = names[index] if isinstance(index, int) else ""
        local = entry["st_info"]["bind"] == "STB_LOCAL"
        found.append((local, entry.name, source, Symbol(address, entry["st_size"], section)))
    symbols: dict[str, Symbol] = {}
    for _, name, file_name, symbol in sorted(found, key=lambda item: item[0]):
        symbols.setdefault(name if name not in symbols else f"{name} ({file_name})", symbol)
    return symbols
