/* SPDX-License-Identifier: Apache-2.0 */
/* The .tflite as it is. 16 bytes: what the schema aligns buffers to, relative to the file. */
#ifdef ES_WEIGHTS_IN_RAM
    .section .data.es_weights.tflm_model_data, "aw"
#else
    .section .rodata.es_weights.tflm_model_data, "a"
#endif
    .balign 16
    .global tflm_model_data
    .type tflm_model_data, %object
tflm_model_data:
    .incbin "tflm/model.tflite"
    .size tflm_model_data, . - tflm_model_data
