"""What the kernels and their callers agree on: parameters, and the sizes of what those point to.

Kernels take only numbers, and pointers to numbers that lie side by side. A parameter of one name is of one type in
every kernel; the modules of the kernels say what the names mean. Those import numba, and this module does not, so that
a kernel that lies compiled on the disk can be called without it.
"""

from dataclasses import dataclass

#: Numbers of a vector; what kernels read and write in whole vectors is padded to a multiple.
LANES = 8
#: Rows whose centred copy, as float64 columns, stays in the first-level cache.
BLOCK_ROWS = 128
#: Columns of a tile of the moments: its 3 x 3 sums stay in registers, and 8 features and a target make whole tiles.
TILE = 3
#: All of them.
SIZES = LANES, BLOCK_ROWS, TILE

INTEGER, FLOAT64 = "int64", "float64"

#: Pointers to numbers of the training dtype, of the dtype of row orders, and to float64 whatever these are.
TRAINED, ROWS, FLOAT64S = "trained *", "rows *", "float64 *"

_TYPES = {
    TRAINED: "X_nd y_nk w_kD b_k m_kD mb_k w m dots_8",
    ROWS: "order_n",
    FLOAT64S: (
        "g_kD gb_k g rates losses S_dD q_kD rr_k mx_D my_k v_kD u_D "
        "centre_z block_Zr sums_Z8 products_ZZ8 sums_Z products_ZZ"
    ),
    # Truths among them, since what C and LLVM take for a bool differs: 0 or 1.
    INTEGER: "n d k first last count steps position batch loss shuffled gradient has_buffer bias nesterov",
    FLOAT64: "delta scale lr momentum dampening weight_decay factor divisor",
}
_TYPE_OF = {name: kind for kind, names in _TYPES.items() for name in names.split()}


@dataclass(frozen=True)
class Signature:
    """What a kernel returns, INTEGER or FLOAT64 or None, and the names of its parameters."""

    returns: str | None
    names: tuple[str, ...]

    @property
    def types(self) -> tuple[str, ...]:
        """A type for each parameter."""
        return tuple(_TYPE_OF[name] for name in self.names)


def _signature(returns: str | None, *names: str) -> Signature:
    return Signature(returns, tuple(" ".join(names).split()))


#: module.function -> its signature.
SIGNATURES = {
    "batches.pass_over": _signature(FLOAT64, "X_nd y_nk first last w_kD b_k d k loss delta dots_8 g_kD gb_k gradient"),
    "batches.update": _signature(None, "w m g count scale has_buffer lr momentum dampening weight_decay nesterov"),
    "batches.run_steps": _signature(
        INTEGER,
        "X_nd y_nk order_n shuffled w_kD b_k m_kD mb_k has_buffer d k n batch bias loss delta rates",
        "momentum dampening weight_decay nesterov position losses steps dots_8 g_kD gb_k",
    ),
    "single_rows.run_steps": _signature(
        INTEGER,
        "X_nd y_nk order_n shuffled w_kD b_k m_kD mb_k has_buffer d n bias loss delta rates",
        "momentum dampening weight_decay nesterov position losses steps",
    ),
    "moments.part_moments": _signature(
        None, "X_nd y_nk first last d k centre_z block_Zr sums_Z8 products_ZZ8 sums_Z products_ZZ"
    ),
    "moments.loss_sum": _signature(FLOAT64, "S_dD q_kD rr_k mx_D my_k v_kD n d k w_kD b_k u_D g_kD gb_k"),
    "moments.run_steps": _signature(
        INTEGER,
        "S_dD q_kD rr_k mx_D my_k v_kD n d k w_kD b_k m_kD mb_k has_buffer bias factor divisor rates",
        "momentum dampening weight_decay nesterov losses steps u_D g_kD gb_k",
    ),
}
