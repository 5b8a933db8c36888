# SPDX-License-Identifier: Apache-2.0
"""Compares codes with those that python-qrcode makes of the same text, level and mask. Argument: a file of JSON, one code a line."""
import json
import sys

import qrcode
from qrcode.util import MODE_8BIT_BYTE, QRData

count = 0
for line in open(sys.argv[1], encoding="utf-8"):
    code = json.loads(line)
    theirs = qrcode.QRCode(error_correction=qrcode.ERROR_CORRECT_L, mask_pattern=code["mask"], border=0)
    theirs.add_data(QRData(code["text"].encode(), mode=MODE_8BIT_BYTE, check_data=False))
    theirs.make(fit=True)
    if ["".join("1" if dark else "0" for dark in row) for row in theirs.modules] != code["rows"]:
        raise SystemExit(f"another code: {len(code['text'])} characters, mask {code['mask']}, version {theirs.version}")
    count += 1
print(count, "codes are the same")
