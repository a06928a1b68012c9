/* SPDX-License-Identifier: Apache-2.0 */
/* Parts from revision 3 on close their debug port at each reset unless the firmware opens it, and
 * UICR allows that (nRF52840 PS, "Access port protection"). The harness needs a debugger for its
 * output. */

#include <stdint.h>

#define APPROTECT_DISABLE (*(volatile uint32_t *)0x40000558u)
#define APPROTECT_DISABLE_SW 0x5Au

void board_start(void);

void board_start(void) { APPROTECT_DISABLE = APPROTECT_DISABLE_SW; }
