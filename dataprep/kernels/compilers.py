"""How kernels and subroutines are compiled: no further than needed.

Numba optimises every function that it compiles together with all that it calls, and makes
machine code of it, because it could be called from Python. A subroutine never is: a kernel
contains it, and is optimised as a whole. For a subroutine only the cheap passes within a
function remain (without these, kernels come out slower: inlining judges by size). That takes a
third off the time that a large kernel takes to compile.
"""

from __future__ import annotations

from typing import Any

from numba.core import codegen as _codegen
from numba.core import compiler as _compiler
from numba.core import compiler_machinery as _machinery
from numba.core import typed_passes as _typed_passes

codegen: Any = _codegen
compiler: Any = _compiler
machinery: Any = _machinery
typed_passes: Any = _typed_passes


class _LinkedLibrary(codegen.JITCodeLibrary):  # type: ignore[misc]
    """The code of one subroutine, to be linked into others."""

    def _optimize_final_module(self) -> None:
        """Leave it to the kernel."""

    def _finalize_final_module(self) -> None:
        """Do not hand the code to the machine-code compiler."""
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Return 0, which is what Numba returns for functions that Python cannot call."""
        self._ensure_finalized()
        return 0

    @property
    def codegen(self) -> _LinkedLibrary:
        """Whom Numba asks to keep the function's environment: there is none without machine code."""
        return self

    def set_env(self, env_name: str, env: object) -> None:
        """Keep nothing: environments serve functions that raise or box Python objects."""


@machinery.register_pass(mutates_CFG=True, analysis_only=False)
class _LinkedLowering(typed_passes.NativeLowering):  # type: ignore[misc]
    _name = "linked_lowering"

    def run_pass(self, state: Any) -> bool:
        state.library = _LinkedLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return bool(super().run_pass(state))


_NOT_NEEDED = frozenset(
    {
        "WithLifting",
        "InlineClosureLikes",
        "RewriteDynamicRaises",
        "MakeFunctionToJitFunction",
        "InlineInlinables",
        "InlineOverloads",
        "DeadBranchPrune",
        "FindLiterallyCalls",
        "LiteralUnroll",
        "LiteralPropagationSubPipelinePass",
        "NopythonRewrites",
    }
)
"""Passes about what no kernel has: context managers, closures, optional arguments, tuples of different
types, expressions of whole arrays. Each of them, and the analysis that follows it, costs time with
every function. A kernel that uses such a thing does not compile, which its first test says."""


class KernelCompiler(compiler.CompilerBase):  # type: ignore[misc]
    """Numba's usual compiler without the passes that kernels do not need."""

    lowering: Any = typed_passes.NativeLowering

    def define_pipelines(self) -> list[Any]:
        """Return the passes."""
        usual = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes = machinery.PassManager("kernel")
        for one, description in usual.passes:
            if one.__name__ not in _NOT_NEEDED:
                passes.add_pass(self.lowering if one is typed_passes.NativeLowering else one, description)
        passes.finalize()
        return [passes]


class SubroutineCompiler(KernelCompiler):
    """The same up to its last step."""

    lowering = _LinkedLowering
