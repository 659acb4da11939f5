#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A shell, as root, on the node in a box, whose terminal this one becomes.  Ctrl-a x ends it.
. "$(dirname "$0")/box.sh"
box_prepare
box_new
echo "==> booting; Ctrl-a x ends the node, and all that was changed on it is gone then"
(box_qemu shell unsafe -serial mon:stdio) <&0 &
QEMU=$!
wait "$QEMU"
