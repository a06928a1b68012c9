SOURCES += board/start.c
$(BUILD)/startup.o: CFLAGS += -DBOARD_START
