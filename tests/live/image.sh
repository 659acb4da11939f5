#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Images: built, imported, listed, removed; and archives that are hostile or broken.
. "$(dirname "$0")/lib.sh"
begin tar gzip xz

# what the store has, without the images that are there for good
store() { (cd "$STORAGE/images" && find names staging -mindepth 1 -printf '%p\n'; ls sha256) | sort; }
before=$(store)

# ---- mini
mini=$(nodectl image show mini -j | jq -r .digest)
check "build of mini" nodectl image build mini --name again
is "is the same tree each time" "$(nodectl image show again -j | jq -r .digest)" "$mini"
[ "$(nodectl image show mini -j | jq .size)" -lt 10485760 ] && ok "mini is under 10 MB" || not_ok "mini is under 10 MB"
check "remove of a name" nodectl image remove again
is "leaves the tree to the other name" "$(store)" "$before"
exits 20 "build of mini with a suite" nodectl image build mini --suite bookworm
exits 21 "build of what cannot be built" nodectl image build slackware
exits 21 "an image's name must be one" nodectl image build mini --name 'a/b'

# ---- import
mkdir -p "$WORK/root" && tar -C "$STORAGE/images/sha256/$mini/root" -c . | tar -C "$WORK/root" -x
echo imported >"$WORK/root/etc/motd"
tar -C "$WORK/root" -c . >"$WORK/root.tar"
check "import of a tar archive" nodectl image import test "$WORK/root.tar"
digest=$(nodectl image show test -j | jq -r .digest)
gzip -k "$WORK/root.tar"
xz -0 -k "$WORK/root.tar"
check "of one by gzip" nodectl image import test:gz "$WORK/root.tar.gz"
check "of one by xz" nodectl image import test:xz "$WORK/root.tar.xz"
kinds="gz xz"
if command -v zstd >/dev/null; then
	zstd -q "$WORK/root.tar"
	check "of one by zstd" nodectl image import test:zst "$WORK/root.tar.zst"
	kinds="gz xz zst"
else
	skip "import of one by zstd" "'zstd' is not installed"
fi
check "of standard input" bash -c "$NODECTL image import test:stdin - <$WORK/root.tar"
check "of a pipe" bash -c "cat $WORK/root.tar.gz | $NODECTL image import test:pipe -"
for kind in $kinds stdin pipe; do
	is "$kind has the same digest" "$(nodectl image show "test:$kind" -j | jq -r .digest)" "$digest"
done
is "it is stored once" "$(find "$STORAGE/images/sha256" -maxdepth 1 -name "$digest" | wc -l)" 1
like "list shows them" "$(nodectl image list)" '^test:gz '
is "list -j too" "$(nodectl image list -j | jq -r '.images[] | select(.name == "test") | .digest')" "$digest"
like "show" "$(nodectl image show test)" 'used by: no VPS'
check "show by the digest's first digits" nodectl image show "${digest:0:12}"
exits 91 "show of an unknown image" nodectl image show nosuch
exits 91 "remove of an unknown image" nodectl image remove nosuch
exits 3 "import of a file that is not there" nodectl image import new "$WORK/nosuch"
check "create from it" nodectl create img --image test --start
is "the VPS has its files" "$(inside img cat /etc/motd)" imported
is "and the right owners" "$(shell img 'stat -c "%u:%g %a" /etc/shadow /tmp | tr "\n" " "')" "0:0 600 0:0 1777 "
refuse "remove of an image in use" nodectl image remove test
like "names who" "$OUT" "VPS 'img'"
shell img 'echo changed >/etc/motd; rm /bin/ls; touch /bin/new'
is "a VPS does not change its image" "$(cat "$STORAGE/images/sha256/$digest/root/etc/motd"; ls "$STORAGE/images/sha256/$digest/root/bin/new" 2>/dev/null)" imported
nodectl create img2 --image test --start --quiet
is "another one from it begins anew" "$(inside img2 cat /etc/motd)" imported
echo second >"$WORK/root/etc/motd"
tar -C "$WORK/root" -c . >"$WORK/root2.tar"
check "import under a name that is there" nodectl image import test "$WORK/root2.tar"
check "an old VPS keeps its tree" nodectl restart img --force
is "just as it was" "$(inside img cat /etc/motd) $(field img .digest)" "changed $digest"
nodectl destroy img img2 --force --yes --quiet
check "remove when nobody uses it" nodectl image remove test
for kind in $kinds stdin pipe; do nodectl image remove "test:$kind" --quiet; done
exits 91 "with its last name a tree is gone" nodectl image show "${digest:0:12}"
is "nothing of it is left" "$(store)" "$before"

# ---- hostile and broken archives
refused() {
	local want=$1 name=$2 file=$3
	exits "$want" "$name" nodectl image import hostile "$file"
	[ "$(store)" = "$before" ] || not_ok "$name: something was written" "$(diff <(echo "$before") <(store))"
}
head -c 1000000 "$WORK/root.tar" >"$WORK/short.tar"
refused 92 "a truncated archive" "$WORK/short.tar"
head -c 500000 "$WORK/root.tar.gz" >"$WORK/short.tar.gz"
refused 92 "a truncated gzip" "$WORK/short.tar.gz"
head -c 500000 "$WORK/root.tar.xz" >"$WORK/short.tar.xz"
refused 92 "a truncated xz" "$WORK/short.tar.xz"
head -c 100000 /dev/urandom >"$WORK/noise"
refused 92 "noise" "$WORK/noise"
: >"$WORK/empty"
refused 92 "an empty file" "$WORK/empty"
mkdir "$WORK/noinit" && echo x >"$WORK/noinit/file" && tar -C "$WORK/noinit" -cf "$WORK/noinit.tar" .
refused 47 "an archive without /sbin/init" "$WORK/noinit.tar"
if command -v python3 >/dev/null; then
	python3 - "$WORK" <<'END'
import io, sys, tarfile
work = sys.argv[1]

def archive(name, *entries):
    with tarfile.open("%s/%s.tar" % (work, name), "w", format=tarfile.PAX_FORMAT) as tar:
        for path, kind, more in (("sbin", "dir", {}), ("sbin/init", "file", {"mode": 0o755})) + entries:
            info = tarfile.TarInfo(path)
            info.type = {"file": tarfile.REGTYPE, "dir": tarfile.DIRTYPE, "sym": tarfile.SYMTYPE,
                         "hard": tarfile.LNKTYPE, "chr": tarfile.CHRTYPE, "blk": tarfile.BLKTYPE,
                         "fifo": tarfile.FIFOTYPE}[kind]
            info.mode = 0o755 if kind == "dir" else 0o644
            data = b"evil\n" if kind == "file" else b""
            info.size = len(data)
            for key, value in more.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(data))

evil = work + "/evil"
archive("good", ("etc", "dir", {}))
archive("dots", ("../" * 12 + evil[1:], "file", {}))
archive("inner-dots", ("etc", "dir", {}), ("etc/../../../../../" + evil[1:], "file", {}))
archive("absolute", (evil, "file", {}))
archive("symlink-dir", ("out", "sym", {"linkname": work}), ("out/evil", "file", {}))
archive("symlink-file", ("out", "sym", {"linkname": evil}), ("out", "file", {}), ("out/x", "file", {}))
archive("symlink-up", ("out", "sym", {"linkname": "../../../../../../../.." + work}), ("out/evil", "file", {}))
archive("hardlink", ("out", "hard", {"linkname": "/etc/passwd"}))
archive("hardlink-dots", ("out", "hard", {"linkname": "../../../../../../../../../etc/passwd"}))
archive("hardlink-through", ("d", "sym", {"linkname": "/etc"}), ("out", "hard", {"linkname": "d/passwd"}))
archive("char-device", ("dev", "dir", {}), ("mem", "chr", {"devmajor": 1, "devminor": 1}))
archive("block-device", ("disk", "blk", {"devmajor": 254, "devminor": 0}))
archive("big-uid", ("file", "file", {"uid": 70000}))
archive("big-gid", ("file", "file", {"gid": 4294967295}))
archive("xattr-trusted", ("file", "file", {"pax_headers": {"SCHILY.xattr.trusted.overlay.opaque": "y"}}))
archive("xattr-overlay", ("d", "dir", {"pax_headers": {"SCHILY.xattr.trusted.overlay.redirect": "/etc"}}))
archive("whiteout", ("gone", "chr", {"devmajor": 0, "devminor": 0}))
END
	for name in dots inner-dots absolute symlink-dir symlink-file symlink-up hardlink hardlink-dots \
		hardlink-through char-device block-device big-uid big-gid xattr-trusted xattr-overlay whiteout; do
		OUT=$(nodectl image import hostile "$WORK/$name.tar" 2>&1)
		got=$?
		# what can be read as lying inside may be taken so, but nothing may come to lie outside
		if [ $got -eq 92 ]; then
			ok "$name is refused"
			like "and the entry is named" "$OUT" "'|\"|entry"
			[ "$(store)" = "$before" ] || not_ok "$name: something was written" "$(diff <(echo "$before") <(store))"
		elif [ $got -eq 0 ] && [ "$name" = absolute ]; then
			ok "$name is taken as lying inside"
			nodectl image remove hostile --quiet
		else
			not_ok "$name is refused" "exit $got: $OUT"
			nodectl image remove hostile --quiet 2>/dev/null
		fi
		[ ! -e "$WORK/evil" ] || { not_ok "$name wrote outside"; rm -f "$WORK/evil"; }
	done
	is "the node's own files are untouched" "$(stat -c %h /etc/passwd)" 1
	check "an archive like these but harmless is taken" nodectl image import good "$WORK/good.tar"
	nodectl image remove good --quiet
else
	skip "hostile archives" "'python3' is not installed"
fi
is "the store is as before" "$(store)" "$before"

# ---- killed
mkfifo "$WORK/fifo"
for whom in one tree; do
	(head -c 1000000 "$WORK/root.tar"; sleep 3) >"$WORK/fifo" &
	feeder=$!
	"$PROBE" killat 500000 $whom "$NODECTL" image import killed "$WORK/fifo" >/dev/null
	sleep 0.2
	exits 91 "a killed import ($whom) leaves no image" nodectl image show killed
	nodectl repair >/dev/null
	is "and repair nothing of it" "$(store)" "$before"
	kill $feeder 2>/dev/null
	wait $feeder 2>/dev/null
done
(head -c 1000000 "$WORK/root.tar"; sleep 1; tail -c +1000001 "$WORK/root.tar") >"$WORK/fifo" &
"$NODECTL" image import slow "$WORK/fifo" --quiet &
importer=$!
sleep 0.4
is "repair leaves an import under way alone" "$(nodectl repair)" ""
wait $importer
is "which ends well" $? 0
nodectl image remove slow --quiet
bad=0
for i in $(seq 10); do
	"$PROBE" killat $((i * 15000)) tree "$NODECTL" image import killed "$WORK/root.tar.gz" >/dev/null
	nodectl repair >/dev/null
	nodectl image remove killed --quiet 2>/dev/null
	nodectl repair >/dev/null
	[ "$(store)" = "$before" ] || bad=$((bad + 1))
done
is "killed ten times at different moments" $bad 0
for i in 1 2 3 4; do "$NODECTL" image import "same:$i" "$WORK/root.tar" --quiet & pids[i]=$!; done
bad=0
for i in 1 2 3 4; do wait "${pids[i]}" || bad=$((bad + 1)); done
is "four imports of one tree at once" $bad 0
nodectl image remove same:1 same:2 same:3 same:4 --quiet
is "and all removed" "$(store)" "$before"

finish
