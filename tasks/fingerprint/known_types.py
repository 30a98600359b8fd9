"""The content types we tell apart: one line each, read by `content_types`.

Columns: label | media | mime | signatures a file of this type may show | extensions.
Labels are Magika's where Magika has one (its `content_types_kb`), so that one vocabulary serves
extension, signature and model. Media types are those of the IANA registry where it has one. In the
fourth column `=` is a signature of the type's own name, `?` a type without a signature that could be
relied on (the extension is then believed as long as no other signature contradicts it).
"""
# ruff: noqa: E501 - one type is one line

KNOWN_TYPES = """
jpeg | image | image/jpeg | = | jpg jpeg jpe jfif
png | image | image/png | = | png
apng | image | image/apng | = png | apng
gif | image | image/gif | = | gif
webp | image | image/webp | = | webp
bmp | image | image/bmp | = | bmp dib
tiff | image | image/tiff | = | tif tiff
heif | image | image/heic | = | heic heif heics heifs hif
avif | image | image/avif | = | avif avifs
svg | image | image/svg+xml | = text xml | svg
svgz | image | image/svg+xml | gzip | svgz
ico | image | image/vnd.microsoft.icon | = | ico
cur | image | image/x-win-bitmap | = | cur
icns | image | image/x-icns | = | icns
psd | image | image/vnd.adobe.photoshop | = | psd psb
xcf | image | image/x-xcf | = | xcf
jp2 | image | image/jp2 | = | jp2 j2k jpf jpx jpm j2c jpc
jxl | image | image/jxl | = | jxl
jxr | image | image/jxr | = tiff | jxr wdp hdp
jls | image | image/jls | = jpeg | jls
bpg | image | image/bpg | = | bpg
tga | image | image/x-tga | = ? | tga
pcx | image | image/x-pcx | = ? | pcx
pbm | image | image/x-portable-anymap | = ? text | pbm pgm ppm pnm
qoi | image | image/x-qoi | = | qoi
exr | image | image/x-exr | = | exr
hdr | image | image/vnd.radiance | = | hdr
dicom | image | application/dicom | = | dcm
eps | image | application/postscript | = postscript text | eps epsf epsi
ilbm | image | image/x-ilbm | = | iff lbm ilbm
wmf | image | image/wmf | = ? | wmf
emf | image | image/emf | = ? | emf
djvu | document | image/vnd.djvu | = | djvu djv
dng | image | image/x-adobe-dng | tiff | dng
nef | image | image/x-nikon-nef | tiff | nef nrw
cr2 | image | image/x-canon-cr2 | = tiff | cr2
cr3 | image | image/x-canon-cr3 | = | cr3
arw | image | image/x-sony-arw | tiff | arw srf sr2
orf | image | image/x-olympus-orf | = tiff | orf
raf | image | image/x-fuji-raf | = | raf
rw2 | image | image/x-panasonic-rw2 | = tiff | rw2 raw rwl
pef | image | image/x-pentax-pef | tiff | pef
srw | image | image/x-samsung-srw | tiff | srw
raw | image | image/x-raw | tiff ? | 3fr erf mef mos mrw x3f kdc dcr iiq
mp4 | video | video/mp4 | = qt 3gp | mp4 m4v f4v f4p mp4v
qt | video | video/quicktime | = mp4 | mov qt
3gp | video | video/3gpp | = mp4 | 3gp 3g2 3gpp
mj2 | video | video/mj2 | = | mj2
mkv | video | video/x-matroska | = webm | mkv mk3d
mka | audio | audio/x-matroska | mkv | mka
webm | video | video/webm | = mkv | webm
avi | video | video/x-msvideo | = | avi divx
wmv | video | video/x-ms-wmv | asf | wmv
asf | video | video/x-ms-asf | = | asf
flv | video | video/x-flv | = | flv
mpegts | video | video/mp2t | = ? | mts m2ts ts m2t
mpeg | video | video/mpeg | = ? | mpg mpeg mpe vob m2v m1v
ogv | video | video/ogg | = ogg | ogv ogx ogm
rm | video | application/vnd.rn-realmedia | = | rm rmvb
mp3 | audio | audio/mpeg | = mp2 mp1 ? | mp3
mp2 | audio | audio/mpeg | = mp3 mp1 ? | mp2 mpa
mp1 | audio | audio/mpeg | = mp3 mp2 ? | mp1
aac | audio | audio/aac | = mp3 ? | aac adts
m4a | audio | audio/mp4 | = mp4 qt | m4a m4b m4p m4r f4a f4b aax
flac | audio | audio/flac | = mp3 | flac
wav | audio | audio/x-wav | = | wav wave
aiff | audio | audio/aiff | = | aif aiff aifc afc
ogg | audio | audio/ogg | = opus spx | ogg oga
opus | audio | audio/opus | = ogg | opus
spx | audio | audio/ogg | = ogg | spx
wma | audio | audio/x-ms-wma | asf | wma
ape | audio | audio/x-ape | = | ape
wavpack | audio | audio/x-wavpack | = | wv
mpc | audio | audio/x-musepack | = ? | mpc mpp mp+
ac3 | audio | audio/ac3 | = ? | ac3 eac3
dts | audio | audio/vnd.dts | = ? | dts
amr | audio | audio/amr | = | amr
au | audio | audio/basic | = | au snd
caf | audio | audio/x-caf | = | caf
qcp | audio | audio/qcelp | = | qcp
voc | audio | audio/x-voc | = | voc
midi | audio | audio/midi | = | mid midi kar rmi
mod | audio | audio/x-mod | = ? | mod s3m xm it mptm
ra | audio | audio/vnd.rn-realaudio | = rm | ra ram
dsf | audio | audio/x-dsf | = | dsf dff
m3u | audio | audio/x-mpegurl | text | m3u m3u8 pls
pdf | document | application/pdf | = | pdf
ai | image | application/illustrator | pdf postscript text | ai
doc | document | application/msword | = ole ? | doc dot
docx | document | application/vnd.openxmlformats-officedocument.wordprocessingml.document | = zip ole | docx docm dotx dotm
odt | document | application/vnd.oasis.opendocument.text | = zip | odt ott odm fodt
rtf | document | text/rtf | = text | rtf
pages | document | application/vnd.apple.pages | zip | pages
wpd | document | application/vnd.wordperfect | = ole | wpd wp wp5 wp6
wri | document | application/x-mswrite | = ole | wri
wps | document | application/vnd.ms-works | ole ? | wps
amipro | document | application/vnd.lotus-wordpro | = text | sam lwp
dca | document | application/x-ibm-dca | = ? | rft fft
hwp | document | application/x-hwp | ole = | hwp hwpx
abw | document | application/x-abiword | text xml gzip | abw zabw
epub | document | application/epub+zip | = zip | epub ibooks
mobi | document | application/x-mobipocket-ebook | = | mobi azw azw3 prc
palmdoc | document | application/vnd.palm | = ? | pdb
fb2 | document | application/x-fictionbook+xml | = text xml zip | fb2 fbz
lit | document | application/x-ms-reader | = | lit
lrf | document | application/x-sony-bbeb | = | lrf lrx
snb | document | application/x-snb-ebook | = | snb
comic | document | application/vnd.comicbook+zip | zip rar sevenzip tar | cbz cbr cb7 cbt
chm | document | application/vnd.ms-htmlhelp | = | chm
hlp | document | application/winhlp | = | hlp
postscript | document | application/postscript | = text | ps
xps | document | application/vnd.ms-xpsdocument | zip | xps oxps
one | document | application/onenote | = ? | one
html | document | text/html | = text xml | html htm xhtml xht shtml
mht | document | application/x-mimearchive | = text eml | mht mhtml
markdown | document | text/markdown | text | md markdown mdown mkd
rst | document | text/x-rst | text | rst
org | document | text/org | text | org
adoc | document | text/asciidoc | text | adoc asciidoc
txt | document | text/plain | = text | txt text asc readme 1st nfo
latex | code | text/x-tex | text | tex sty cls ltx
bib | code | text/x-bibtex | text | bib
xls | spreadsheet | application/vnd.ms-excel | = ole | xls xlt xlm xla
xlsx | spreadsheet | application/vnd.openxmlformats-officedocument.spreadsheetml.sheet | = zip ole | xlsx xlsm xltx xltm xlsb
ods | spreadsheet | application/vnd.oasis.opendocument.spreadsheet | = zip | ods ots fods
numbers | spreadsheet | application/vnd.apple.numbers | zip | numbers
csv | spreadsheet | text/csv | text | csv
tsv | spreadsheet | text/tab-separated-values | text | tsv tab
lotus123 | spreadsheet | application/vnd.lotus-1-2-3 | = ? | wk1 wk2 wk3 wk4 wks 123
quattro | spreadsheet | application/x-quattro-pro | = lotus123 ole ? | wq1 wq2 wb1 wb2 wb3 qpw
multiplan | spreadsheet | application/x-sylk | = text ? | slk
dif | spreadsheet | application/x-dif | text | dif
ppt | presentation | application/vnd.ms-powerpoint | = ole | ppt pps pot
pptx | presentation | application/vnd.openxmlformats-officedocument.presentationml.presentation | = zip ole | pptx pptm ppsx ppsm potx potm
odp | presentation | application/vnd.oasis.opendocument.presentation | = zip | odp otp fodp
key | presentation | application/vnd.apple.keynote | zip text | key
eml | email | message/rfc822 | = text | eml emlx
mbox | email | application/mbox | = text | mbox mbx
outlook | email | application/vnd.ms-outlook | = ole | msg oft
pst | email | application/vnd.ms-outlook-pst | = | pst ost
zip | archive | application/zip | = | zip zipx htmlz txtz pmlz
gzip | archive | application/gzip | = | gz tgz gzip
bzip | archive | application/x-bzip2 | = | bz2 tbz2 tbz bz
xz | archive | application/x-xz | = | xz txz
lzma | archive | application/x-lzma | = ? | lzma tlz
zst | archive | application/zstd | = | zst tzst
lz4 | archive | application/x-lz4 | = | lz4
lz | archive | application/x-lzip | = | lz
unixcompress | archive | application/x-compress | = lha | z
brotli | archive | application/x-brotli | ? | br
tar | archive | application/x-tar | = ? | tar
sevenzip | archive | application/x-7z-compressed | = | 7z
rar | archive | application/vnd.rar | = | rar rev
cab | archive | application/vnd.ms-cab-compressed | = | cab
arj | archive | application/x-arj | = | arj
lha | archive | application/x-lha | = ? | lha lzh
ace | archive | application/x-ace-compressed | = | ace
ar | archive | application/x-archive | = | ar a lib
cpio | archive | application/x-cpio | = text | cpio
xar | archive | application/x-xar | = | xar
asar | archive | application/x-asar | = ? | asar
arc | archive | application/x-arc | ? | arc
sit | archive | application/x-stuffit | = | sit sitx
squashfs | archive | application/x-squashfs | = | squashfs sfs
iso | archive | application/x-iso9660-image | = ? | iso
dmg | archive | application/x-apple-diskimage | = ? | dmg
diskimage | archive | application/x-raw-disk-image | = ? | img vhd vhdx vmdk vdi qcow2 wim esd
ttf | font | font/ttf | = otf | ttf
otf | font | font/otf | = ttf | otf
ttc | font | font/collection | = | ttc otc
woff | font | font/woff | = | woff
woff2 | font | font/woff2 | = | woff2
eot | font | application/vnd.ms-fontobject | = ? | eot
type1 | font | application/x-font-type1 | = text ? | pfb pfa afm
json | code | application/json | = text | json webmanifest map
jsonl | data | application/jsonl | text | jsonl ndjson
geojson | data | application/geo+json | text | geojson topojson
xml | code | text/xml | = text | xml xsl xslt xsd opf opml ncx rss atom wsdl resx plist
yaml | code | application/yaml | text | yaml yml
toml | code | application/toml | text | toml
ini | code | text/plain | text | ini cfg conf properties cnf editorconfig
env | code | text/plain | text | env
python | code | text/x-python | text | py pyi pyw
ipynb | code | application/x-ipynb+json | text json | ipynb
javascript | code | text/javascript | text | js mjs cjs jsx
typescript | code | application/typescript | text | ts tsx mts cts
css | code | text/css | text | css scss sass less
c | code | text/x-c | text | c h
cpp | code | text/x-c++ | text | cc cpp cxx hpp hh hxx ino
cs | code | text/x-csharp | text | cs
java | code | text/x-java | text | java
kotlin | code | text/x-kotlin | text | kt kts
swift | code | text/x-swift | text | swift
objectivec | code | text/x-objcsrc | text | m mm
go | code | text/x-golang | text | go
rust | code | text/x-rust | text | rs
ruby | code | text/x-ruby | text | rb gemspec
php | code | text/x-php | text | php phtml
perl | code | text/x-perl | text | pl pm
r | code | text/x-r | text | r rmd
scala | code | text/x-scala | text | scala sbt
shell | code | text/x-shellscript | = text | sh bash zsh fish ksh
batch | code | text/x-msdos-batch | text | bat cmd
powershell | code | application/x-powershell | text | ps1 psm1 psd1
sql | code | application/sql | text | sql
lua | code | text/x-lua | text | lua
haskell | code | text/x-haskell | text | hs lhs
clojure | code | text/x-clojure | text | clj cljs edn
elixir | code | text/x-elixir | text | ex exs erl
dart | code | text/x-dart | text | dart
fortran | code | text/x-fortran | text | f for f77 f90 f95
pascal | code | text/x-pascal | text | pas pp dpr
asm | code | text/x-asm | text | asm s
vba | code | text/vbscript | text | vb vbs bas vba
tcl | code | text/x-tcl | text | tcl
lisp | code | text/x-lisp | text | lisp el scm rkt
groovy | code | text/x-groovy | text | groovy gradle
vue | code | text/x-vue | text | vue svelte
jinja | code | text/x-jinja2-template | text | jinja jinja2 j2 hbs mustache erb ejs
proto | code | text/x-proto | text | proto thrift graphql
cmake | code | text/x-cmake | text | cmake mk
diff | code | text/x-diff | text | diff patch
po | code | text/x-gettext-translation | text | po pot
lock | code | text/plain | text | lock
ignorefile | code | text/plain | text | gitignore gitattributes dockerignore ignorefile npmignore
hcl | code | text/x-hcl | text | tf hcl tfvars
log | data | text/plain | text | log
sqlite | data | application/vnd.sqlite3 | = | sqlite sqlite3 db db3
parquet | data | application/vnd.apache.parquet | = | parquet pqt
arrow | data | application/vnd.apache.arrow.file | = | arrow feather
avro | data | application/avro | = | avro
orc | data | application/vnd.apache.orc | = | orc
h5 | data | application/x-hdf5 | = | h5 hdf5 nc4
netcdf | data | application/netcdf | = h5 | nc cdf
npy | data | application/x-npy | = | npy
npz | data | application/x-npz | zip | npz
matlabdata | data | application/x-matlab-data | = h5 | mat
spss | data | application/x-spss-sav | = | sav zsav por
stata | data | application/x-stata-dta | = ? | dta
sas | data | application/x-sas-data | = ? | sas7bdat xpt
jmp | data | application/x-jmp-data | = | jmp
rdata | data | application/x-r-data | gzip bzip xz ? | rdata rds
access | data | application/vnd.ms-access | = | mdb accdb
odb | data | application/vnd.oasis.opendocument.database | = zip | odb
dbf | data | application/vnd.dbf | ? | dbf
shp | data | application/vnd.shp | = | shp shx
gpx | data | application/gpx+xml | text xml | gpx
kml | data | application/vnd.google-earth.kml+xml | text xml | kml
kmz | data | application/vnd.google-earth.kmz | zip | kmz
fits | data | application/fits | = | fits fit
pickle | data | application/x-pickle | = ? | pickle pkl
onnx | model | application/x-onnx | ? | onnx
safetensors | model | application/x-safetensors | ? | safetensors
gguf | model | application/x-gguf | = | gguf ggml
pytorch | model | application/x-pytorch | zip pickle ? | pt pth ckpt
keras | model | application/x-keras | h5 zip | keras
tflite | model | application/x-tflite | ? | tflite
pebin | executable | application/vnd.microsoft.portable-executable | = | exe dll sys scr ocx cpl com mui efi
elf | executable | application/x-elf | = | elf so o ko bin
macho | executable | application/x-mach-binary | = | dylib
msi | executable | application/x-msi | = ole | msi msp
deb | executable | application/vnd.debian.binary-package | = ar | deb
rpm | executable | application/x-rpm | = | rpm
apk | executable | application/vnd.android.package-archive | = zip | apk aab xapk
ipa | executable | application/x-ios-app | zip | ipa
jar | executable | application/java-archive | = zip | jar war ear
msix | executable | application/msix | zip | msix appx
appimage | executable | application/x-appimage | elf | appimage
pkg | executable | application/x-newton-compatible-pkg | xar | pkg
crx | executable | application/x-chrome-extension | = zip | crx xpi
wasm | executable | application/wasm | = | wasm
javabytecode | executable | application/java-vm | = | class
pythonbytecode | executable | application/x-bytecode.python | = ? | pyc pyo
dex | executable | application/x-android-dex | = | dex
swf | executable | application/x-shockwave-flash | = | swf
dwg | other | image/vnd.dwg | = | dwg
dxf | other | image/vnd.dxf | text ? | dxf
visio | other | application/vnd.visio | = zip ole | vsd vsdx vsdm vst vstx vdx
odg | other | application/vnd.oasis.opendocument.graphics | = zip | odg otg fodg
drawing | other | application/x-drawing | ole zip gzip text ? | cdd mmp mmap nmind xmind drawio
stl | other | model/stl | = text ? | stl
obj | other | model/obj | text | obj mtl
ply | other | model/ply | = text | ply
gltf | other | model/gltf-binary | = text | glb gltf
fbx | other | application/x-fbx | = text | fbx
3mf | other | model/3mf | = zip | 3mf
drc | other | application/x-draco | = | drc
blend | other | application/x-blender | = gzip zst | blend
step | other | model/step | = text | step stp iges igs
cad | other | application/x-cad | ole ? | skp f3d sldprt sldasm ipt 3ds max
ktx | other | image/ktx | = | ktx ktx2
srt | other | application/x-subrip | text | srt sub ass ssa
vtt | other | text/vtt | = text | vtt
ics | other | text/calendar | = text | ics
vcard | other | text/vcard | = text | vcf vcard
pem | other | application/x-pem-file | = text ? | pem pub crt cer der p7s p12 pfx
pgp | other | application/pgp-encrypted | = text ? | pgp gpg sig
winregistry | other | text/x-ms-regedit | = text | reg
registryhive | other | application/x-ms-registry-hive | = | hive
pcap | other | application/vnd.tcpdump.pcap | = | pcap pcapng cap
torrent | other | application/x-bittorrent | = | torrent
internetshortcut | other | application/x-mswinurl | text | url webloc desktop
lnk | other | application/x-ms-shortcut | = | lnk
alias | other | application/x-apple-alias | = | alias
xmp | other | application/rdf+xml | text xml | xmp
aae | other | application/x-apple-plist | text xml | aae
mie | other | application/x-mie | = | mie
applebplist | other | application/x-bplist | = | bplist
nes | other | application/x-nes-rom | = | nes
checksum | other | text/plain | text | md5 sha1 sha256 sha512 sfv
dsstore | other | application/x-apple-dsstore | = | ds_store
empty | other | inode/x-empty | ? |
ole | other | application/x-ole-storage | = | cfb
unknown | other | application/octet-stream | ? |
"""
