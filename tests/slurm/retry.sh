#!/bin/sh
# retry.sh COMMAND...: up to three times, until it succeeds; 77 (skipped) stands.
for try in 1 2 3; do
  "$@"
  code=$?
  if [ "$code" = 0 ] || [ "$code" = 77 ]; then break; fi
  echo "try $try of 3 ended with $code"
done
exit "$code"
