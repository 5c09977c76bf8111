"""The signatures of the kernels, and the sizes that they and their callers share.

Kernels take numbers and pointers to contiguous numbers. A parameter name has the same type in every kernel; the modules
of the kernels define what the names mean. Those modules import numba and this one does not, so that a compiled kernel
can be called without it.
"""

from dataclasses import dataclass

#: Numbers per vector; arrays that kernels read and write in whole vectors are padded to a multiple of it.
LANES = 8
#: Rows per block of moments, so that its centred float64 columns stay in the first-level cache.
BLOCK_ROWS = 128
#: Columns per tile of moments: its 3 x 3 sums stay in registers, and 8 features and a target are three whole tiles.
TILE = 3
#: All sizes, as a part of the names of compiled kernels.
SIZES = LANES, BLOCK_ROWS, TILE

INTEGER, FLOAT64 = "int64", "float64"

#: Pointers to numbers of the training dtype, to row orders (int32 or int64), and to float64.
TRAINED, ROWS, FLOAT64S = "trained *", "rows *", "float64 *"

_TYPES = {
    TRAINED: "X_nd y_nk weight_n w_kD b_k m_kD mb_k w m dots_8 trail",
    ROWS: "order_n ends",
    FLOAT64S: (
        "g_kD gb_k g rates losses sums S_dD q_kD rr_k mx_D my_k v_kD u_D "
        "centre_z block_Zr sums_Z8 products_ZZ8 sums_Z products_ZZ parts_SW"
    ),
    # Booleans, too, as 0 or 1, since C and LLVM pass a bool differently.
    INTEGER: "n d k first last count steps position batch loss shuffled gradient has_buffer bias nesterov recorded "
    "held shards adding updating",
    FLOAT64: "delta scale lr momentum dampening weight_decay factor divisor",
}
_TYPE_OF = {name: kind for kind, names in _TYPES.items() for name in names.split()}


@dataclass(frozen=True)
class Signature:
    """The signature of a kernel.

    Attributes:
        returns: INTEGER, FLOAT64 or None.
        names: of the parameters, whose types follow from them.

    >>> SIGNATURES["moments.loss_sum"].types[0]
    'float64 *'
    """

    returns: str | None
    names: tuple[str, ...]

    @property
    def types(self) -> tuple[str, ...]:
        """The type of each parameter."""
        return tuple(_TYPE_OF[name] for name in self.names)


def _signature(returns: str | None, *names: str) -> Signature:
    return Signature(returns, tuple(" ".join(names).split()))


#: module.function -> its signature.
SIGNATURES = {
    "batches.pass_over": _signature(FLOAT64, "X_nd y_nk first last w_kD b_k d k loss delta dots_8 g_kD gb_k gradient"),
    "batches.weighted_pass_over": _signature(
        FLOAT64, "X_nd y_nk weight_n first last w_kD b_k d k loss delta dots_8 g_kD gb_k gradient"
    ),
    "batches.update": _signature(None, "w m g count scale has_buffer lr momentum dampening weight_decay nesterov"),
    "batches.run_steps": _signature(
        INTEGER,
        "X_nd y_nk order_n shuffled w_kD b_k m_kD mb_k has_buffer d k n batch bias loss delta rates",
        "momentum dampening weight_decay nesterov position losses steps dots_8 g_kD gb_k",
    ),
    "batches.weighted_run_steps": _signature(
        INTEGER,
        "X_nd y_nk weight_n order_n shuffled w_kD b_k m_kD mb_k has_buffer d k n batch bias loss delta rates",
        "momentum dampening weight_decay nesterov position losses steps dots_8 g_kD gb_k",
    ),
    "single_rows.run_steps": _signature(
        INTEGER,
        "X_nd y_nk order_n shuffled w_kD b_k m_kD mb_k has_buffer d n bias loss delta rates",
        "momentum dampening weight_decay nesterov position losses steps",
    ),
    "shards.run_steps": _signature(
        INTEGER,
        "X_nd y_nk order_n shuffled ends held first shards w_kD b_k m_kD mb_k has_buffer d k n batch bias loss delta",
        "lr momentum dampening weight_decay nesterov position losses steps adding updating parts_SW dots_8 g_kD gb_k",
    ),
    "shards.weighted_run_steps": _signature(
        INTEGER,
        "X_nd y_nk weight_n order_n shuffled ends held first shards w_kD b_k m_kD mb_k has_buffer d k n batch bias",
        "loss delta lr momentum dampening weight_decay nesterov position losses steps adding updating parts_SW",
        "dots_8 g_kD gb_k",
    ),
    "moments.part_moments": _signature(
        None, "X_nd y_nk first last d k centre_z block_Zr sums_Z8 products_ZZ8 sums_Z products_ZZ"
    ),
    "moments.loss_sum": _signature(FLOAT64, "S_dD q_kD rr_k mx_D my_k v_kD n d k w_kD b_k u_D g_kD gb_k"),
    "moments.run_steps": _signature(
        INTEGER,
        "S_dD q_kD rr_k mx_D my_k v_kD n d k w_kD b_k m_kD mb_k has_buffer bias factor divisor rates",
        "momentum dampening weight_decay nesterov losses steps recorded sums trail u_D g_kD gb_k",
    ),
}
