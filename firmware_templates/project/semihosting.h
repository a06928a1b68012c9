/* Arm semihosting: the debugger or emulator prints and exits on the firmware's behalf. */

#ifndef SEMIHOSTING_H
#define SEMIHOSTING_H

#include <stdint.h>

#define SEMIHOSTING_SYS_WRITE0 0x04u        /* argument: a string that ends with 0 */
#define SEMIHOSTING_SYS_EXIT_EXTENDED 0x20u /* argument: {reason, exit code} */
#define SEMIHOSTING_APPLICATION_EXIT 0x20026u

static inline uint32_t semihosting_call(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static inline void semihosting_write(const char *text) {
    semihosting_call(SEMIHOSTING_SYS_WRITE0, text);
}

static inline void semihosting_exit(uint32_t code) {
    const uint32_t block[2] = {SEMIHOSTING_APPLICATION_EXIT, code};
    for (;;) {
        semihosting_call(SEMIHOSTING_SYS_EXIT_EXTENDED, block);
    }
}

#endif
