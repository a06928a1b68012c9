"""CONV_2D."""

from __future__ import annotations

from edgesparse.boards import Core
from edgesparse.fixedpoint import activation_range
from edgesparse.graph import Conv2DOptions
from edgesparse.lowering.call import KernelCall
from edgesparse.lowering.choose import Cost, Estimate, choose
from edgesparse.lowering.constant_channels import fold_constant_channels
from edgesparse.lowering.context import Context, channel_scales, fold_bias, round_up, window
from edgesparse.lowering.costs import estimate

__all__ = ["conv_2d_cost", "conv_2d_scratch_bytes", "lower_conv_2d"]


def lower_conv_2d(context: Context) -> tuple[KernelCall, ...]:
    """One call; the filters [out, kh, kw, in] become rows [out, kh * kw * in]."""
    options = context.op.options
    assert isinstance(options, Conv2DOptions)
    source, target = context.activation(0), context.result()
    tensor, weights = context.weights(1)
    _, in_h, in_w, in_c = source.shape
    _, out_h, out_w, out_c = target.shape
    _, kernel_h, kernel_w, filter_c = weights.shape
    if filter_c != in_c:
        raise context.unsupported(f"filters of {filter_c} channels on {in_c} (grouped convolution); use groups=1")
    if weights.shape[0] != out_c:
        raise context.unsupported(f"{weights.shape[0]} filters for {out_c} output channels; the file is damaged")
    rows = window(options.padding, in_h, out_h, kernel_h, options.stride_h, options.dilation_h, context.where)
    columns = window(options.padding, in_w, out_w, kernel_w, options.stride_w, options.dilation_w, context.where)
    quantization = target.quant
    scales = channel_scales(source.quant.scale, tensor.quant, quantization.scale, out_c)
    low, high = activation_range(options.activation, quantization.scale, quantization.zero_point)
    weights, values, scales = fold_constant_channels(
        weights,
        context.bias(2, out_c),
        scales,
        input_zero_point=source.quant.zero_point,
        output_zero_point=quantization.zero_point,
        low=low,
        high=high,
    )
    bias = fold_bias(context, values, weights, source.quant.zero_point, scales)

    patch = kernel_h * kernel_w * in_c
    cost = conv_2d_cost(context.core, out_h * out_w, kernel_h * kernel_w, in_c)
    choice = choose(weights.reshape(out_c, patch), cost, context.policy)
    if not context.core.has_dsp:
        patches = "es_patch_s8"
    elif choice.format == "delta8":
        patches = "es_patch_pixel_s16"
    else:
        patches = "es_patch_block_s16"
    return (
        KernelCall(
            op_index=context.op_index,
            function=f"es_conv_2d_{choice.format}_s8",
            header="es_conv_2d.h",
            struct="es_conv_2d",
            fields=(
                ("bias", bias.table),
                *scales.fields(),
                *choice.fields(),
                ("in_h", in_h),
                ("in_w", in_w),
                ("in_c", in_c),
                ("out_h", out_h),
                ("out_w", out_w),
                ("out_c", out_c),
                ("kernel_h", kernel_h),
                ("kernel_w", kernel_w),
                ("stride_h", rows.stride),
                ("stride_w", columns.stride),
                ("dilation_h", rows.dilation),
                ("dilation_w", columns.dilation),
                ("pad_top", rows.pad),
                ("pad_left", columns.pad),
                ("channel_mask", 0xFFFF if scales.per_channel else 0),
                ("input_zero_point", source.quant.zero_point),
                ("output_zero_point", quantization.zero_point),
                ("activation_min", low),
                ("activation_max", high),
            ),
            inputs=(context.op.inputs[0],),
            output=context.op.outputs[0],
            takes_scratch=True,
            scratch_bytes=conv_2d_scratch_bytes(context.core, patch, in_c),
            weight_format=choice.format,
            reason=choice.reason,
            wide_sums=bias.wide,
            estimated_instructions=choice.instructions,
            work=choice.work,
            sources=(patches,),
        ),
    )


def conv_2d_scratch_bytes(core: Core, patch: int, in_c: int) -> int:
    """The formula in es_conv_2d.h."""
    if core.has_dsp:
        return 8 * round_up(patch) + round_up(in_c + patch + 3 if in_c % 4 else in_c)
    return 4 * round_up(patch)


def conv_2d_cost(core: Core, pixels: int, taps: int, in_c: int) -> Cost:
    """What the kernels do: a pass over 4 pixels (fewer than 4 take a pass each) gathers their patches, then runs
    through all rows.
    """
    passes = -(-pixels // 4) if pixels >= 4 else pixels

    def cost(format: str, rows: int, units: int) -> Estimate:
        odd = "odd " if in_c % 4 and core.has_dsp and format != "delta8" else ""
        work = {
            "calls": 1,
            f"{odd}passes": passes,
            f"{odd}taps": passes * taps,
            f"{odd}values": passes * taps * in_c,
            "rows": passes * rows,
            "units": passes * units,
        }
        return Estimate(estimate(core, f"es_conv_2d_{format}_s8", work), work)

    return cost
