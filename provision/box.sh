#!/usr/bin/env -S bash -p
# Makes a Vagrant box for the libvirt provider of Debian's packages, with what a node needs already in it.
# No loop device, no image hub, no account; needs root and an x86-64 machine. A minute and a half, 255 MB.
# usage: box.sh kvm|qemu BOX    (qemu: for machines without a working /dev/kvm, by emulation)
set -euo pipefail
[ -n "${LAB_OWN:-}" ] || exec "$(dirname "$0")/own" "$0" "$@"
cd "$(dirname "$0")"

SUITE=trixie
DISK_GIB=20
# What every machine has (a node of the docker provider gets its part of it in node/Dockerfile). apparmor: the kernel
# has it, and Docker then starts no container without apparmor_parser.
PACKAGES=(
  linux-image-cloud-amd64 initramfs-tools grub-pc-bin systemd-sysv udev dbus systemd-resolved
  openssh-server sudo apparmor docker-cli
)
# Known to everybody: Vagrant replaces it at a machine's first start.
VAGRANT_KEY='ssh-rsa AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzIw+niNltGEFHzD8+v1I2YJ6oXevct1YeS0o9HZyN1Q9qgCgzUFtdOKLv6IedplqoPkcmF0aYet2PkEDo3MlTBckFXPITAMzF8dJSIFo9D8HfdOV0IAdx4O7PtixWKn5y2hMNG0zQPyUecp4pzC6kivAIhyfHilFR61RGL+GPXQ2MWZWFYbAGjyiYJnAmCP3NOTd0jMZEnDkbUvxhMmBYSdETk1rRgm+R4LOzFUGaHqHDLKLX+FIPKcF96hrucXzcWyLbIbEgE98OHlnVYCzRdK8jlqm8tehUc9c9WhQ== vagrant insecure public key'

fail() {
  echo "lab: $*" >&2
  exit 1
}

check() { # driver
  [[ $1 =~ ^(kvm|qemu)$ ]] || fail "box.sh: $1 is no driver: kvm, or qemu for emulation"
  [ "$(uname -m)" = x86_64 ] || fail "box.sh makes boxes for x86-64, and this machine is $(uname -m)"
  [ "$(id -u)" = 0 ] || fail "box.sh makes a file system of root's: run it as root"
  local missing=()
  command -v mmdebstrap >/dev/null || missing+=(mmdebstrap debian-archive-keyring)
  command -v mke2fs >/dev/null || missing+=(e2fsprogs)
  command -v sfdisk >/dev/null || missing+=(fdisk)
  command -v qemu-img >/dev/null || missing+=(qemu-utils)
  [ ${#missing[@]} = 0 ] || fail "missing: ${missing[*]}: install them with apt-get"
}

install_packages() { # folder
  local packages
  mapfile -t packages <node/packages
  packages+=("${PACKAGES[@]}")
  # Of the modules only those that find a virtual machine's disk (of libvirt's kind; then of VirtualBox's and plain
  # qemu's), as an emulated one unpacks them slowly. No profiles of programs that are not here: to load them takes it 50 s.
  # Docker loads its own.
  # shellcheck disable=SC2016  # mmdebstrap's hooks have a $1 of their own
  mmdebstrap --quiet --variant=minbase --include="$(IFS=, && echo "${packages[*]}")" \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --essential-hook='mkdir -p "$1"/etc/initramfs-tools/conf.d' \
    --essential-hook='echo MODULES=list >"$1"/etc/initramfs-tools/conf.d/lab' \
    --essential-hook='printf "%s\n" virtio_pci virtio_blk ext4 virtio_scsi ahci ata_piix sd_mod >"$1"/etc/initramfs-tools/modules' \
    --customize-hook='chroot "$1" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer grub-common' \
    --customize-hook='find "$1"/etc/apparmor.d -maxdepth 1 -type f -delete' \
    --customize-hook='chroot "$1" systemctl --quiet enable systemd-networkd systemd-resolved' \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/etc/ssh/ssh_host_*' \
    "$SUITE" "$1"
}

# In the folder of a root file system, whose programs run below chroot.
configure() { # folder
  configure_system "$1"
  configure_network "$1"
  configure_login "$1"
}

configure_system() { # folder
  echo 'LABEL=root / ext4 errors=remount-ro 0 1' >"$1/etc/fstab"
  # Empty, each machine makes its own; missing, systemd would take its start for a first installation.
  : >"$1/etc/machine-id"
}

# eth0 is the interface over which Vagrant comes in; all others are Vagrant's to configure.
configure_network() { # folder
  echo debian >"$1/etc/hostname"
  printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n' >"$1/etc/hosts"
  printf '[Match]\nName=eth0\n\n[Network]\nDHCP=ipv4\n' >"$1/etc/systemd/network/10-management.network"
  ln -sfn ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"
}

configure_login() { # folder
  local folder=$1
  chroot "$folder" useradd --create-home --shell /bin/bash vagrant
  echo 'vagrant ALL=(ALL) NOPASSWD:ALL' >"$folder/etc/sudoers.d/vagrant"
  install -d -m 0700 "$folder/home/vagrant/.ssh"
  install -m 0600 /dev/stdin "$folder/home/vagrant/.ssh/authorized_keys" <<<"$VAGRANT_KEY"
  chroot "$folder" chown -R vagrant: /home/vagrant/.ssh
  printf 'PasswordAuthentication no\nUseDNS no\n' >"$folder/etc/ssh/sshd_config.d/vagrant.conf"
  # Each machine makes host keys of its own.
  install -d "$folder/etc/systemd/system/ssh.service.d"
  printf '[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\nExecStartPre=/usr/sbin/sshd -t\n' \
    >"$folder/etc/systemd/system/ssh.service.d/host-keys.conf"
}

# Debian's packages keep /vmlinuz and /initrd.img up to date, so a new kernel needs no new configuration.
configure_loader() { # folder
  install -d "$1/boot/grub"
  cat >"$1/boot/grub/grub.cfg" <<'END'
serial --unit=0
terminal_output serial console
linux /vmlinuz root=LABEL=root ro net.ifnames=0 console=tty0 console=ttyS0,115200
initrd /initrd.img
boot
END
  chroot "$1" grub-mkimage --format=i386-pc --prefix='(hd0,msdos1)/boot/grub' --output=/boot/grub/core.img \
    biosdisk part_msdos ext2 linux normal serial configfile
}

# A disk with one partition from the first MiB on. Before it lies GRUB: boot.img, which the firmware starts, loads
# what follows it from the second sector on.
make_disk() { # folder, disk
  local folder=$1 disk=$2
  truncate --size "${DISK_GIB}G" "$disk"
  echo 'start=2048, type=83, bootable' | sfdisk --quiet --label dos "$disk"
  mke2fs -q -t ext4 -L root -d "$folder" -E offset=1048576 "$disk" "$((DISK_GIB * 1024 * 1024 - 1024))k"
  dd if="$folder/usr/lib/grub/i386-pc/boot.img" of="$disk" bs=440 count=1 conv=notrunc status=none
  dd if="$folder/boot/grub/core.img" of="$disk" bs=512 seek=1 conv=notrunc status=none
}

# What is true of the box is said in it, so that a project's Vagrantfile need not know.
describe() { # driver
  echo "Vagrant.configure('2') do |config|"
  # Emulated, a machine takes minutes.
  echo "  config.vm.boot_timeout = $([ "$1" = kvm ] && echo 300 || echo 1800)"
  echo "  config.vm.provider :libvirt do |libvirt|"
  echo "    libvirt.driver = '$1'"
  [ "$1" = kvm ] ||
    printf '    libvirt.%s\n' "cpu_mode = 'custom'" "cpu_model = 'Nehalem'" "emulator_path = File.join(__dir__, 'emulator')"
  echo '  end'
  echo 'end'
}

# QEMU in one thread, however many processors a machine has: in several, the guest's kernel may meet a breakpoint
# that it has just taken away ("Oops: int3", QEMU 7.2).
emulator() {
  cat <<'END'
#!/bin/sh
for argument; do
  shift
  [ "$argument" != tcg ] || argument=tcg,thread=single
  set -- "$@" "$argument"
done
exec qemu-system-x86_64 "$@"
END
}

main() {
  local driver=${1:?usage: box.sh kvm|qemu BOX} box=${2:?usage: box.sh kvm|qemu BOX}
  check "$driver"
  # On disk: /tmp may be memory.
  work=$(mktemp -d /var/tmp/lab-box.XXXXXX)
  trap 'rm -rf "$work"' EXIT
  mkdir "$work/root" "$work/box"
  install_packages "$work/root"
  configure "$work/root"
  configure_loader "$work/root"
  make_disk "$work/root" "$work/disk"
  qemu-img convert -c -O qcow2 -o compression_type=zstd "$work/disk" "$work/box/box.img"
  echo "{\"provider\": \"libvirt\", \"format\": \"qcow2\", \"virtual_size\": $DISK_GIB}" >"$work/box/metadata.json"
  describe "$driver" >"$work/box/Vagrantfile"
  [ "$driver" = kvm ] || install /dev/stdin "$work/box/emulator" < <(emulator)
  tar --create --file "$work/box.tar" --directory "$work/box" .
  mv "$work/box.tar" "$box"
}

main "$@"
