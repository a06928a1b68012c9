# SPDX-License-Identifier: Apache-2.0
# The boot ROM copies the first 256 bytes of the flash to RAM and runs them where the last four are their CRC.
# boot2.S fills 252; board/crc32.sh appends the CRC of what the assembler made of it.
BOOT2 := $(BUILD)/board/boot2
SOURCES += board/boot2.S $(BOOT2)_crc.S

$(BOOT2).bin: $(BOOT2).o
	$(OBJCOPY) -O binary --only-section=.boot2 $< $@

$(BOOT2)_crc.S: $(BOOT2).bin board/crc32.sh
	sh board/crc32.sh $< > $@.part
	mv $@.part $@
