BOARD := mps2-an386
GCC_CORE_FLAGS := -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16
ZIG_TARGET := thumb-freestanding-eabihf
ZIG_CPU := cortex_m4+vfp4d16sp
QEMU_MACHINE := mps2-an386
KERNEL_SOURCES := kernels/toy_add.c kernels/toy_scale.c
