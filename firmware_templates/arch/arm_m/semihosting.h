/* SPDX-License-Identifier: Apache-2.0 */
/* Arm semihosting: the debugger or emulator prints and exits on the firmware's behalf. */

#ifndef SEMIHOSTING_H
#define SEMIHOSTING_H

#include <stdint.h>

#define SEMIHOSTING_SYS_OPEN 0x01u          /* argument: {name, mode, length of the name} */
#define SEMIHOSTING_SYS_WRITE0 0x04u        /* argument: a string that ends with 0 */
#define SEMIHOSTING_SYS_READ 0x06u          /* argument: {file, to, bytes} */
#define SEMIHOSTING_SYS_EXIT_EXTENDED 0x20u /* argument: {reason, exit code} */
#define SEMIHOSTING_APPLICATION_EXIT 0x20026u
#define SEMIHOSTING_READ_BINARY 1u

static inline uint32_t semihosting_call(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static inline void semihosting_write(const char *text) {
    (void)semihosting_call(SEMIHOSTING_SYS_WRITE0, text);
}

/* A file of the host, to read from; negative where there is none. */
static inline int32_t semihosting_open(const char *name, uint32_t length) {
    const uint32_t block[3] = {(uint32_t)name, SEMIHOSTING_READ_BINARY, length};
    return (int32_t)semihosting_call(SEMIHOSTING_SYS_OPEN, block);
}

/* Returns how many of the bytes could not be read. */
static inline uint32_t semihosting_read(int32_t file, void *to, uint32_t bytes) {
    const uint32_t block[3] = {(uint32_t)file, (uint32_t)to, bytes};
    return semihosting_call(SEMIHOSTING_SYS_READ, block);
}

static inline void semihosting_exit(uint32_t code) {
    const uint32_t block[2] = {SEMIHOSTING_APPLICATION_EXIT, code};
    for (;;) {
        (void)semihosting_call(SEMIHOSTING_SYS_EXIT_EXTENDED, block);
    }
}

#endif
