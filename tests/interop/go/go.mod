module strongroom.example/interop

go 1.21
