package testnode

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of the times in /proc/PID/stat: Linux shows 100 a second on every architecture Go runs on.
const clockTick = time.Second / 100

// Usage is what a process uses at one moment.
type Usage struct {
	// RSS is the resident memory in bytes.
	RSS int64
	// CPU is the user and system time since the process started, in steps of 10 ms.
	CPU time.Duration
}

// UsageOf measures the process with this id. It needs Linux's /proc.
func UsageOf(pid int) (Usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("testnode: usage: %w", err)
	}
	return parseStat(string(stat), int64(os.Getpagesize()))
}

// parseStat reads a line of /proc/PID/stat (proc_pid_stat(5)). The second field is the command in brackets and may itself hold
// spaces and brackets.
func parseStat(stat string, pageSize int64) (Usage, error) {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return Usage{}, errors.New("testnode: usage: stat without a command")
	}
	fields := strings.Fields(stat[end+1:]) // fields[0] is the third field of the line
	const utime, stime, rss = 14 - 3, 15 - 3, 24 - 3
	if len(fields) <= rss {
		return Usage{}, fmt.Errorf("testnode: usage: stat with %d fields", len(fields)+2)
	}
	var n [3]int64
	for i, field := range [...]int{utime, stime, rss} {
		v, err := strconv.ParseInt(fields[field], 10, 64)
		if err != nil {
			return Usage{}, fmt.Errorf("testnode: usage: %w", err)
		}
		n[i] = v
	}
	return Usage{RSS: n[2] * pageSize, CPU: time.Duration(n[0]+n[1]) * clockTick}, nil
}
