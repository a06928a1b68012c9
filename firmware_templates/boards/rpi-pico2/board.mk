# SPDX-License-Identifier: Apache-2.0
SOURCES += board/image_def.S
