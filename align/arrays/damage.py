"""What is raised of files of arrays that are damaged, or of another kind than they look."""

import tokenize
import zipfile
import zlib

# By NumPy, of a header; and by zipfile, of what it cannot unpack: encrypted, or by another method.
DAMAGED = (ValueError, EOFError, TypeError, OverflowError, SyntaxError, tokenize.TokenError)
NO_ARCHIVE = (zipfile.BadZipFile, zlib.error, RuntimeError, OSError)
