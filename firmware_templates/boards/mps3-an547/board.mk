# SPDX-License-Identifier: Apache-2.0
SOURCES += board/start.c
$(BUILD)/startup.o: CFLAGS += -DBOARD_START
