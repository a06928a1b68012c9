# SPDX-License-Identifier: Apache-2.0
# RUNTIME=tflm: the model on TFLite Micro's interpreter, its sparse layers as the project's custom ops.
#
#   make RUNTIME=tflm TFLM_DIR=path
#
# TFLM_DIR is a checkout of https://github.com/tensorflow/tflite-micro with libtensorflow-microlite.a built for this core
# by its own Makefile; README.md beside this file has the command. Further variables: TFLM_LIBRARY, TFLM_ARENA_BYTES.

include tflm/config.mk

ifneq ($(TOOLCHAIN),gcc)
$(error RUNTIME=tflm needs TOOLCHAIN=gcc: TFLite Micro's library is built with arm-none-eabi-gcc)
endif
ifeq ($(TFLM_DIR),)
$(error set TFLM_DIR to a TFLite Micro checkout with a built libtensorflow-microlite.a; tflm/README.md says how to get one)
endif

# Where several builds are there: release before others, CMSIS-NN before reference kernels.
TFLM_LIBRARY ?= $(firstword $(wildcard $(foreach folder, . lib \
    gen/cortex_m_generic_$(TFLM_ARCH)_release_cmsis_nn_gcc/lib gen/cortex_m_generic_$(TFLM_ARCH)_*_cmsis_nn_gcc/lib \
    gen/cortex_m_generic_$(TFLM_ARCH)_*_gcc/lib, $(TFLM_DIR)/$(folder)/libtensorflow-microlite.a)))
ifeq ($(wildcard $(TFLM_LIBRARY)),)
$(error no libtensorflow-microlite.a for $(TFLM_ARCH) in TFLM_DIR=$(TFLM_DIR); tflm/README.md says how to build it)
endif
ifeq ($(wildcard $(TFLM_DIR)/tensorflow/lite/micro/micro_interpreter.h),)
$(error TFLM_DIR=$(TFLM_DIR) has no tensorflow/lite/micro/micro_interpreter.h; set it to the root of TFLite Micro)
endif

# One word for the shell, whatever characters a path has.
shell_word = '$(subst ','\'',$1)'

TFLM_THIRD_PARTY := $(wildcard $(TFLM_DIR)/tensorflow/lite/micro/tools/make/downloads $(TFLM_DIR)/third_party)
TFLM_INCLUDES := $(foreach folder,$(TFLM_DIR) $(wildcard $(foreach folder,$(TFLM_THIRD_PARTY), \
    $(folder)/flatbuffers/include $(folder)/gemmlowp $(folder)/ruy)),-isystem $(call shell_word,$(folder)))
# The headers declare a library's CMSIS-NN registrations only where they are told that it has them.
TFLM_KERNELS := $(if $(shell $(CROSS)nm --defined-only $(call shell_word,$(TFLM_LIBRARY)) 2>/dev/null | grep -m 1 Register_CONV_2D_INT8),-DCMSIS_NN)

BUILD := $(BUILD)-tflm
SOURCES := main.c harness.c selftest.c startup.c model/vectors.c $(TFLM_KERNEL_SOURCES) $(wildcard tflm/*.cc tflm/*.c) tflm/tflm_model_data.S
NO_LIBRARIES := -nostartfiles
LIBRARIES := $(call shell_word,$(TFLM_LIBRARY)) -lm -lc -lgcc

CXX := $(CROSS)g++
# Release builds of the library have no messages; what these flags select must be the same for all who include its headers.
TFLM_FLAGS := -DES_ON_TFLM -DTF_LITE_STATIC_MEMORY -DTF_LITE_STRIP_ERROR_STRINGS $(TFLM_KERNELS) \
    -DTFLM_OPS=$(TFLM_OPS) -I. -iquote model -Itflm -Ikernels/include $(TFLM_INCLUDES)
CXXFLAGS = $(CORE_FLAGS) -std=c++17 $(OPTIMIZE) -g0 $(WARNINGS) -fno-rtti -fno-exceptions \
    -fno-threadsafe-statics -fno-common -fno-strict-aliasing -ffunction-sections -fdata-sections -fno-unwind-tables \
    -fno-asynchronous-unwind-tables -fomit-frame-pointer $(TFLM_FLAGS)

$(BUILD)/%.o: CFLAGS += -DES_ON_TFLM -DMODEL_WEIGHTS_CRC=$(TFLM_WEIGHTS_CRC)

$(BUILD)/%.o: %.cc $(BUILD)/tflm/flags
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) -MMD -MP -c $< -o $@

# These change where a variable does: another TFLM_DIR compiles again, another TFLM_ARENA_BYTES the arena alone.
$(BUILD)/tflm/flags: TEXT = $(TFLM_FLAGS)
$(BUILD)/tflm/arena: TEXT = -DTFLM_ARENA_BYTES=$(TFLM_ARENA_BYTES)
$(BUILD)/tflm/flags $(BUILD)/tflm/arena: FORCE
	@mkdir -p $(@D)
	@echo $(call shell_word,$(TEXT)) | cmp -s - $@ || echo $(call shell_word,$(TEXT)) > $@
$(BUILD)/tflm/tflm_arena.o: $(BUILD)/tflm/arena
$(BUILD)/tflm/tflm_arena.o: CFLAGS += -DTFLM_ARENA_BYTES=$(TFLM_ARENA_BYTES)

$(BUILD)/tflm/tflm_model_data.o: tflm/model.tflite
$(BUILD)/firmware.elf: $(TFLM_LIBRARY)
# Called once, before the first inference.
$(BUILD)/tflm/tflm_model.o $(BUILD)/tflm/tflm_ops.o: OPTIMIZE := -Os

.PHONY: FORCE
