# The browser tests drive Debian's Chromium. Find it, install it when root on Debian, or say how to get it.
if command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Chromium for the browser tests (a few minutes, once) …"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    chromium fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji >/dev/null && exit 0
fi
echo "Chromium is not here, so the browser tests will be skipped. To have them: apt install chromium (or set MOMENTS_TEST_CHROMIUM to its path)."
exit 0
