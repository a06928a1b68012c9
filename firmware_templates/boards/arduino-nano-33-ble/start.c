/* SPDX-License-Identifier: Apache-2.0 */
/* The bootloader may leave its own vector table in use. Parts from revision 3 on close their debug
 * port at each reset unless the firmware opens it, and UICR allows that (nRF52840 PS, "Access port
 * protection"). */

#include <stdint.h>

#define VTOR (*(volatile uint32_t *)0xE000ED08u)
#define APPROTECT_DISABLE (*(volatile uint32_t *)0x40000558u)
#define APPROTECT_DISABLE_SW 0x5Au

extern uint32_t __vectors[];

void board_start(void);

void board_start(void) {
    VTOR = (uint32_t)__vectors;
    APPROTECT_DISABLE = APPROTECT_DISABLE_SW;
}
