// Package deploytest holds what is in the folder deploy to the program as it is: the systemd unit, the kernel's settings, the image and the
// compose file use flags, variables, files and rights that there are. No Docker engine is needed: what needs one is read, not run; a program that could read it
// better, and isn't there, is a skipped test.
package deploytest
