SOURCES += board/image_def.S
