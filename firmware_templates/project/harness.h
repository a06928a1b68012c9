/* SPDX-License-Identifier: Apache-2.0 */
/* The test harness: runs every vector, measures, and prints lines that a program can read.
 *
 * Inputs are those of vectors.c, or of the file es.samples where the debugger or emulator
 * has one in its working folder: the number of samples as 4 bytes (little-endian), the samples as
 * the model takes them, and the first sample once more. Where it is too short, the run ends with
 * code 1 and without "es end".
 *
 *   es begin protocol=1 vectors=N layers=N input=BYTES output=BYTES arena=BYTES counter=NAME
 *   es vector I ticks=N output=HEX        per vector; ticks of that counter around model_invoke
 *   es memory arena_used=BYTES stack_used=BYTES
 *   es selftest pass|fail weights_crc=HEX expected=HEX
 *                                         CRC-32 of the weights as read and as generated; it also
 *                                         fails where an input of vectors.c gave another output
 *   es end
 *
 * or, before exiting with a code other than 0, one of
 *
 *   es fault cfsr=HEX address=HEX pc=HEX sp=HEX layer=N
 *   es overrun vector=I                   the guard behind the arena was written
 *   es unstable                           one input gave two different outputs
 *   es refused layer=N op=NAME got=N expected=N WHAT    the runtime does not take the model
 *
 * Before the first vector there may be
 *
 *   es arena bytes=BYTES needed=BYTES     a runtime that manages the arena needs another size
 *
 * HEX of a number is 0x and 8 digits, of an output two digits per byte.
 */

#ifndef HARNESS_H
#define HARNESS_H

#include <stdint.h>

/* Runs all vectors; returns 0, or 1 after printing what went wrong, a failed self-test included. */
int harness_run(void);

/* Called by the fault handler on a fresh stack; `frame` is the stack pointer at the fault. */
void harness_fault(const uint32_t *frame) __attribute__((noreturn));

/* For a runtime that may not take the model. `op`: an operator's name; `what`: what was got. */
void harness_refused(const char *op, const char *what, uint32_t got, uint32_t expected)
    __attribute__((noreturn));

/* For a runtime that manages the arena itself: prints both where they differ. */
void harness_arena_needed(uint32_t arena_bytes, uint32_t needed_bytes);

/* Called by the interrupt of the board's counter, where it has one. */
void harness_counter_wrapped(void);

#endif
