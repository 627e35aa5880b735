#!/usr/bin/env python3
"""Plants each kind of violation in a small tree of its own and sees that tools/tidy finds it."""

import importlib.machinery
import importlib.util
import json
import pathlib
import tempfile
import unittest

LOADER = importlib.machinery.SourceFileLoader("tidy", str(pathlib.Path(__file__).with_name("tidy")))
tidy = importlib.util.module_from_spec(importlib.util.spec_from_loader("tidy", LOADER))
LOADER.exec_module(tidy)

OPENING = "// What it is.\n// The idea.\n// Who calls it.\n"
HEADER = OPENING + "#pragma once\n"


class TidyTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()

    def write(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def found(self):
        """What tidy finds, as (check, path, line)."""
        return [(found.check, found.path, found.line) for found in tidy.violations(self.root)[0]]

    def expect(self, *expected):
        self.assertEqual(self.found(), list(expected))

    def test_a_clean_tree_is_clean(self):
        self.write("src/base/file.h", HEADER + "namespace quire { int size_of(int file); }\n")
        self.write("src/base/file.cc", '#include "base/file.h"\nint size_of(int) { return 1; }\n')
        self.write("src/core/step.h", HEADER + '#include "base/file.h"\n#include <vector>\n')
        self.expect()

    def test_layers(self):
        self.write("src/core/step.cc", '\n#include "tensor/dtype.h"\n')
        self.write("src/sched/a.cc", '#include "base/clock.h"\n')
        self.write("src/sched/a_test.cc", "#include <thread>\n")
        self.write("src/kernels/b.cc", "#include <thread>\n")
        self.write("src/apps/serve.cc", '#include "sched/a.h"\n#include "runtime/b.h"\n')
        self.write("src/serve/c.cc", '#include "apps/d.h"\n')
        self.write("src/serve/intake/f.cc",
                   '#include "serve/answer/g.h"\n#include "serve/intake/h.h"\n')
        self.write("src/serve/dialects/openai/i.cc", '#include "serve/dialects/vllm/j.h"\n')
        self.write("src/serve/dialects/vllm/k.cc", '#include "serve/dialects/openai/l.h"\n')
        self.write("src/stray/e.cc", "int e;\n")
        self.expect(("layers", "src/core/step.cc", 2), ("layers", "src/kernels/b.cc", 1),
                    ("layers", "src/sched/a.cc", 1), ("layers", "src/serve/c.cc", 1),
                    ("layers", "src/serve/dialects/openai/i.cc", 1),
                    ("layers", "src/serve/intake/f.cc", 1),
                    ("layers", "src/stray/e.cc", 1))

    def test_cycle(self):
        self.write("src/model/a.h", HEADER + '#include "model/b.h"\n')
        self.write("src/model/a.cc", '#include "model/a.h"\n#include "model/d.h"\n')
        self.write("src/model/b.h", HEADER + '#include "model/c.h"\n')
        self.write("src/model/c.h", HEADER + '#include "model/a.h"\n')
        self.write("src/model/d.h", HEADER)
        self.write("src/model/d.cc", '#include "model/a.h"\n#include "model/d.h"\n')
        self.expect(("cycle", "src/model/c.h", 5))

    def test_clock(self):
        self.write("src/base/clock.cc", "auto t = std::chrono::steady_clock::now();\n")
        self.write("src/engine/a.cc", "\nauto t = std::chrono::steady_clock::now();\n"
                   "// steady_clock::now in a comment\n")
        self.expect(("clock", "src/engine/a.cc", 2))

    def test_lines_and_columns(self):
        self.write("src/base/a.cc", "int a;\n" * 601)
        self.write("src/base/b.cc", "int a;\n" * 600 + "")
        self.write("src/kernels/cpu/avx2.cc", "int a;\n" * 601)
        self.write("src/base/c.cc", "// " + "x" * 98 + "\n// " + "x" * 97 + "\n")
        self.expect(("lines", "src/base/a.cc", 1), ("columns", "src/base/c.cc", 1))

    def test_function_length(self):
        body = "  step();\n" * 69
        self.write("src/base/a.cc", "namespace quire {\nvoid fits() {\n" + body[:-10] + "}\n"
                   "struct S {\n  int member = 0;\n  void too_long() {\n" + body + "  }\n};\n}\n")
        kernel = "void kernel(int n) {\n" + "  step();\n" * 80 + "}\n"
        self.write("src/kernels/b.cc", "// long: one loop nest shares its registers\n" + kernel)
        self.write("src/kernels/c.cc", kernel)
        self.expect(("function", "src/base/a.cc", 74), ("function", "src/kernels/c.cc", 1))

    def test_function_scan_knows_literals(self):
        self.write("src/base/a.cc", 'const char* a = "{(";\nchar b = \'{\';\nint c = 1\'000;\n'
                   'auto d = R"x({( " )x";\n// { (\n#define E(x) {\n' + "int f;\n" * 80)
        self.expect()

    def test_names(self):
        self.write("src/base/block_manager.h", HEADER)
        self.write("src/base/a.cc", "int process_row(int);\nclass PoolImpl;\nint to_do_list;\n"
                   "const char* text = \"manager\";  // the helper\nint implement; int ado_x;\n")
        self.expect(("name", "src/base/a.cc", 1), ("name", "src/base/a.cc", 2),
                    ("name", "src/base/block_manager.h", 1))

    def test_header_opening(self):
        self.write("src/base/a.h", "// One line.\n#pragma once\n")
        self.write("src/base/b.h", OPENING)
        self.expect(("opening", "src/base/a.h", 1), ("once", "src/base/b.h", 1))

    def test_units_in_a_folder(self):
        for index in range(13):
            self.write(f"src/base/file{index}.cc", "")
            self.write(f"src/base/file{index}_test.cc", "")
            self.write(f"src/model/arch/file{index}.cc", "")
        for index in range(12):
            self.write(f"src/core/file{index}.cc", "")
        self.expect(("units", "src/base", 1))

    def test_one_definition(self):
        self.write("src/serve/a.h", HEADER + "namespace quire {\nstruct Arrival { int at; };\n"
                   "enum class Kind { kA };\nclass Later;\nstruct Map { struct Node {}; };\n"
                   "struct Map::Edge {};\n}\n")
        self.write("src/sim/b.h", HEADER + "namespace quire {\nclass Arrival final : public B<3> {"
                   "\n public:\n  explicit Arrival(int at) {}\n};\n}\n")
        self.write("src/sim/c.cc", "namespace quire {\nnamespace {\nstruct Arrival {};\n}\n"
                   "void f() { struct Arrival {}; }\n}\n"
                   "namespace quire::sim {\nstruct Arrival {};\n}\n"
                   "namespace quire { struct Set { struct Node {}; }; struct Map::Node {}; }\n")
        self.write("tests/d.cc", "namespace quire {\nclass Arrival;\nArrival* make(struct Later*);"
                   "\nenum class Kind : int { kB };\nstruct Later {};\n}\n")
        self.expect(("twice", "src/sim/b.h", 6), ("twice", "tests/d.cc", 4))

    def test_rooms(self):
        for room in ("base", "core", "sched"):
            self.write(f"src/{room}/a.cc", "")
        self.write("docs/architecture.md", "| room | sees | and |\n|---|---|---|\n"
                   "| base | nothing | |\n| sched | core | pure |\n"
                   "| store | formats, net, base | |\n")
        self.expect(("rooms", "docs/architecture.md", 1), ("rooms", "docs/architecture.md", 4),
                    ("rooms", "docs/architecture.md", 5))

    def test_orphans(self):
        for name in ("seen.cc", "orphan.cc", "slow_bench.cc"):
            self.write(f"src/base/{name}", "")
        entries = [{"directory": str(self.root / "build"), "file": "../src/base/seen.cc"}]
        self.write("build/release/compile_commands.json", json.dumps(entries))
        self.expect(("orphan", "src/base/orphan.cc", 1))

    def test_machine_paths(self):
        self.write("README.md", "see /ro" + "ot/x\nsee ${HOME}/work/x and a/work/b\n")
        self.expect(("machine", "README.md", 1))

    def test_exemptions_need_a_reason(self):
        self.write("src/base/a.cc", "int a;\n" * 601)
        self.write("tools/tidy_exemptions.txt", "lines src/base/a.cc  # a table\n")
        self.expect()
        self.write("tools/tidy_exemptions.txt", "lines src/base/a.cc\n")
        self.assertRaises(SystemExit, self.found)


if __name__ == "__main__":
    unittest.main()
