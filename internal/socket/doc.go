// Package socket reads and writes sockets that never block, with as little around the system call as the platform
// allows. Event loops use it, thousands of times a second on one thread; everybody else uses package net.
package socket
