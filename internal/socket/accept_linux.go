package socket

import (
	"encoding/binary"
	"net"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Accept accepts once at a listener that never blocks: a connection that never blocks either, and where it comes from.
// EAGAIN when nobody is there.
//
// As Receive it says no word to Go's scheduler, and it does not ask each connection for its protocol, as x/sys does for
// the sake of tunnels.
func Accept(listener int) (fd int, from net.Addr, errno syscall.Errno) {
	var raw unix.RawSockaddrAny
	length := uint32(unix.SizeofSockaddrAny)
	n, _, errno := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener), uintptr(unsafe.Pointer(&raw)),
		uintptr(unsafe.Pointer(&length)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, nil, errno
	}
	return int(n), addressOf(&raw, length), 0
}

// Local is a connection's own address.
func Local(fd int) (net.Addr, syscall.Errno) {
	var raw unix.RawSockaddrAny
	length := uint32(unix.SizeofSockaddrAny)
	_, _, errno := syscall.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&raw)),
		uintptr(unsafe.Pointer(&length)))
	if errno != 0 {
		return nil, errno
	}
	return addressOf(&raw, length), 0
}

// addressOf makes an address of package net of the length bytes at raw.
func addressOf(raw *unix.RawSockaddrAny, length uint32) net.Addr {
	switch raw.Addr.Family {
	case unix.AF_INET:
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(raw))
		return &net.TCPAddr{IP: append(net.IP(nil), a.Addr[:]...), Port: hostOrder(a.Port)}
	case unix.AF_INET6:
		a := (*unix.RawSockaddrInet6)(unsafe.Pointer(raw))
		return &net.TCPAddr{IP: append(net.IP(nil), a.Addr[:]...), Port: hostOrder(a.Port), Zone: zone(a.Scope_id)}
	}
	return &net.UnixAddr{Net: "unix", Name: pathOf(raw, length)}
}

// hostOrder is a port as the kernel writes it.
func hostOrder(port uint16) int {
	return int(binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, port)))
}

// zone names the interface that a link-local address belongs to.
func zone(index uint32) string {
	if index == 0 {
		return ""
	}
	if i, err := net.InterfaceByIndex(int(index)); err == nil {
		return i.Name
	}
	return strconv.Itoa(int(index))
}

// pathOf is the name of a unix socket, unix(7). An abstract one begins with a zero byte, which package net writes as @;
// most clients have none, which it writes so, too.
func pathOf(raw *unix.RawSockaddrAny, length uint32) string {
	a := (*unix.RawSockaddrUnix)(unsafe.Pointer(raw))
	const head = uint32(unsafe.Offsetof(a.Path))
	if length <= head {
		return "@"
	}
	path := unsafe.Slice((*byte)(unsafe.Pointer(&a.Path[0])), min(int(length-head), len(a.Path)))
	if path[0] == 0 {
		return "@" + string(path[1:])
	}
	return unix.ByteSliceToString(path)
}
